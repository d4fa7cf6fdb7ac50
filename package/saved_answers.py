"""Right answers kept as a query log, which `train data` and `eval` read with `--layout log`."""

import json
from collections.abc import Mapping
from errno import ENOSPC
from fcntl import LOCK_EX, flock
from os import SEEK_END, strerror
from pathlib import Path
from typing import IO, Any

from route_sql.graph.state import ANSWERED_STATUSES
from route_sql.tools.errors import InvalidInput
from route_sql.training.datasets.query_log import load_query_log

ENDING = ".jsonl"


def save_answer(log: str | Path, question: Mapping[str, Any], answer: Mapping[str, Any] | str) -> bool:
    """Append a question and the SQL that answers it to a query log; several processes may write to one log.

    Args:
        log: A JSON Lines file, `.jsonl`; made if it does not exist. Its folder must.
        question: The `Question` that was asked, or the state of its thread.
        answer: The `Answer` that a person approved, edited or found right, the state of its thread, or the right SQL.

    Returns:
        False if the log has this pair already.

    Raises:
        InvalidInput: the answer has no SQL that ran, the question is incomplete, or the log can't be written.
        DatasetError: the log holds something other than pairs.
    """
    path, pair = Path(log), _pair(question, _sql(answer))
    check_log(path)
    try:
        # One write at the end, so that a process that is stopped, or reads without the lock, finds whole lines.
        with path.open("ab+", buffering=0) as file:
            flock(file, LOCK_EX)
            return _append(path, file, pair)
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror or error}; name a file you may write") from error


def check_log(path: Path) -> None:
    """Check the name of a query log, before anybody answers for it.

    Raises:
        InvalidInput: it has another ending, or its folder does not exist.
    """
    if path.suffix.lower() != ENDING:
        raise InvalidInput(f"answers are saved as JSON Lines: give a file that ends in {ENDING}, not {path}")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path} can't be written: No such file or directory; name a file you may write")


def _append(path: Path, file: IO[bytes], pair: dict[str, str]) -> bool:
    known = {(each.question, each.database, each.evidence, each.sql) for each in load_query_log(path)}
    if (pair["question"], pair["database"], pair.get("evidence", ""), pair["sql"]) in known:
        return False
    line = json.dumps(pair, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    _write(file, line if _ends_its_last_line(file) else b"\n" + line)
    return True


def _write(file: IO[bytes], data: bytes) -> None:
    """Write all at the end, or nothing: a disk that becomes full takes a part and reports no error."""
    end = file.seek(0, SEEK_END)
    if file.write(data) < len(data):
        file.truncate(end)
        raise OSError(ENOSPC, strerror(ENOSPC))


def _ends_its_last_line(file: IO[bytes]) -> bool:
    """Whether the next line may begin at the end; a file that was edited by hand may lack the last line's end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 1))
    return file.read(1) in (b"", b"\n")


def _pair(question: Mapping[str, Any], sql: str) -> dict[str, str]:
    fields = {"question": question.get("question"), "sql": sql, "database": question.get("database")}
    # In a thread's state the question's evidence has another key, since the input's is gone after the first step.
    evidence = question.get("question_evidence") or question.get("evidence")
    pair = {**fields, "evidence": evidence} if evidence else fields
    for name, text in pair.items():
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(f"the {name} to save must be a text that is not blank, not {text!r}")
    return {name: str(text) for name, text in pair.items()}


def _sql(answer: Mapping[str, Any] | str) -> str:
    if isinstance(answer, str):
        return answer.strip()
    sql, status = answer.get("sql"), answer.get("status")
    if not isinstance(sql, str) or status not in ANSWERED_STATUSES:
        raise InvalidInput(
            f"an answer of status {status!r} is not an example to learn from; save the right SQL in its place"
        )
    return sql
