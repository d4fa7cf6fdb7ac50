"""Answers to many questions, as JSON Lines that a stopped run resumes."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from route_sql.graph.asking import Ask, no_answer
from route_sql.graph.state import Answer, Question
from route_sql.json_values import json_value
from route_sql.question_files import QuestionRow
from route_sql.serving.errors import ContextExceeded, ServingError
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.files import write_whole
from route_sql.training.concurrency import for_each
from route_sql.training.resumable import OneWriter, check_same_settings, different_settings, to_the_end

AnswerLine = dict[str, Any]
"""`row`, `question`, `database`, `given` (the row's other cells) and `answer`, in the form of `ask --json`."""
OnRow = Callable[[int, int], None]
"""Called with the rows done and all rows."""


@dataclass
class AnswerFile:
    """A file of answers, and its lines."""

    path: Path
    lines: dict[int, AnswerLine] = field(default_factory=dict)
    """The lines by the number of their row."""

    async def append(self, line: AnswerLine) -> None:
        """Write one whole line; cancelling waits until it is written."""
        await to_the_end(_append, self.path, line)
        self.lines[line["row"]] = line

    def in_order(self) -> list[AnswerLine]:
        """Write the lines in the order of the questions, and return them."""
        ordered = [self.lines[row] for row in sorted(self.lines)]
        text = "".join(map(_written, ordered))
        with _writing(self.path):
            if not self.path.exists() or self.path.read_bytes() != text.encode():
                write_whole(self.path, text)
        return ordered


async def answer_rows(
    ask: Ask, rows: Sequence[QuestionRow], file: AnswerFile, *, at_once: int = 1, progress: OnRow | None = None
) -> list[AnswerLine]:
    """Ask the questions that the file does not hold yet; the same question on a database is asked once.

    A row that can't be asked gets an answer with the reason. A model server that fails stops the run.

    Raises:
        ServingError: the model's server can't answer.
    """

    async def work(same: Sequence[QuestionRow]) -> None:
        await _answer(ask, same, file)
        if progress:
            progress(len(file.lines), len(rows))

    await for_each(work, _same(rows), at_once)
    return file.in_order()


@asynccontextmanager
async def open_answers(
    path: Path, rows: Sequence[QuestionRow], settings: Mapping[str, Any]
) -> AsyncIterator[AnswerFile]:
    """Begin a file of answers, or resume one whose run was stopped; one process at a time may write it.

    Raises:
        InvalidInput: the file is of other questions or settings, is damaged, or can't be written.
    """
    digest = sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()
    writer = OneWriter(path, "file", InvalidInput)
    try:
        await to_the_end(writer.acquire)
        yield await to_the_end(_begin_or_resume, path, {**settings, "rows": len(rows), "digest": digest})
    finally:
        await to_the_end(writer.release)


def _same(rows: Sequence[QuestionRow]) -> list[list[QuestionRow]]:
    """Rows with the same question on the same database, in the order of their first ones."""
    found: dict[tuple[str, ...], list[QuestionRow]] = {}
    for row in rows:
        found.setdefault((row.question, row.database, row.evidence, row.fault), []).append(row)
    return [*found.values()]


async def _answer(ask: Ask, same: Sequence[QuestionRow], file: AnswerFile) -> None:
    left = [row for row in same if row.row not in file.lines]
    if not left:
        return
    known = next((file.lines[row.row]["answer"] for row in same if row.row in file.lines), None)
    answer = known or json_value(await _asked(ask, same[0]))
    for row in left:
        line = {"row": row.row, "question": row.question, "database": row.database, "given": row.given}
        await file.append(json_value(line) | {"answer": answer})


async def _asked(ask: Ask, row: QuestionRow) -> Answer:
    if row.fault:
        return no_answer(row.fault)
    try:
        return await ask(Question(question=row.question, database=row.database, evidence=row.evidence))
    except ContextExceeded as error:
        return no_answer(str(error))
    except ServingError:
        raise
    except RouteError as error:
        return no_answer(str(error))


def _begin_or_resume(path: Path, settings: Mapping[str, Any]) -> AnswerFile:
    meta = path.with_name(f"{path.name}.meta.json")
    try:
        if not path.exists():
            write_whole(meta, json.dumps(settings, indent=1) + "\n")
            path.touch()
            return AnswerFile(path)
        changed = different_settings(json.loads(meta.read_text(encoding="utf-8")), settings)
        check_same_settings(path, changed, "name another file", InvalidInput)
        with path.open("r+b") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)  # a line that was cut off is asked again
        lines = [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
        return AnswerFile(path, {int(line["row"]): line for line in lines})
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} exists without {meta.name}, which holds its settings; name another file") from error
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror or error}; name another file") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RouteError):
            raise
        raise InvalidInput(f"{path} or {meta.name} is damaged; name another file") from error


def _written(line: AnswerLine) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


def _append(path: Path, line: AnswerLine) -> None:
    # Opened for each line, so that a run that dies holds nothing back in a buffer.
    with _writing(path), path.open("ab") as file:
        file.write(_written(line).encode())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror or error}; the same command resumes") from error
