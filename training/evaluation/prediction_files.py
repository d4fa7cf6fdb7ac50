"""Reads files of existing predictions as objects with SQL and, where given, an index and a database."""

import json
from pathlib import Path
from typing import Any

from route_sql.training.datasets.csv_tables import read_text, table_rows
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import Line, line_fault

Record = dict[str, Any]

_JSON_COLUMN = "sql"
_CSV_COLUMNS = ("index", "database", "db_id")
_BIRD_MARK = "\t----- bird -----\t"


def read_records(path: Path, column: str | None, databases: set[str]) -> tuple[list[Record], str]:
    """The predictions of a file as objects, and the key under which each has its SQL.

    Args:
        path: JSON Lines, CSV, text with one query on each line, or BIRD's own object from index to query and database.
        column: The column or key with the SQL; None for `sql`.
        databases: The names that may follow a query in text.

    Raises:
        EvaluationError: the file can't be read or has another form.
    """
    text = read_text(path, EvaluationError).replace("\r\n", "\n").replace("\r", "\n")
    return _records(path, text, column, databases)


def _records(path: Path, text: str, column: str | None, databases: set[str]) -> tuple[list[Record], str]:
    if text.lstrip().startswith("{"):
        if found := _bird_records(path, text):
            return found, _JSON_COLUMN
        return _json_records(path, text, column or _JSON_COLUMN), column or _JSON_COLUMN
    if text.lstrip().startswith("["):
        raise EvaluationError(f"{path} is a list in JSON; write one object with index and sql on each line")
    if column is not None or path.suffix.lower() == ".csv":
        return _csv_records(path, text, column)
    return _text_records(text, databases), _JSON_COLUMN


def _bird_records(path: Path, text: str) -> list[Record]:
    r"""The entries of `{"0": "SELECT ...\t----- bird -----\tdb_id"}`; none if the text is no such object."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return []
    if not all(key.isdecimal() for key, _ in pairs):
        return []
    for key, value in pairs:
        if isinstance(value, list):
            raise EvaluationError(
                f"{path}: the prediction {key} is not text; give the query as BIRD's baselines write it"
            )
    return [_bird_record(key, value) for key, value in pairs]


def _bird_record(key: str, value: object) -> Record:
    """One entry; BIRD's baselines write a number in place of a missing query."""
    sql, _, database = str(value).partition(_BIRD_MARK) if isinstance(value, str) else ("", "", "")
    return {"index": key, _JSON_COLUMN: sql.strip() or None, "database": database.strip() or None}


def _json_records(path: Path, text: str, column: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EvaluationError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get(column, 0), str | None):
            raise EvaluationError(f"{path}, line {number} has no text or null under {column!r}; name the key as column")
        if Line.__required_keys__ <= record.keys() and (fault := line_fault(record)):
            raise EvaluationError(f"{path}, line {number} is not a line of a run: {fault}; correct it")
        records.append(record)
    return records


def _csv_records(path: Path, text: str, column: str | None) -> tuple[list[Record], str]:
    if column is None:
        first = text.split("\n", maxsplit=1)[0].strip()[:200] or "(none)"
        raise EvaluationError(f"{path} has the columns {first}; name the one with the SQL")
    rows = table_rows(path, text, _CSV_COLUMNS, EvaluationError, needed=column)
    if faults := [f"row {row.number}: {row.fault}" for row in rows if row.fault]:
        raise EvaluationError(f"{path}, {faults[0]}")
    return [dict(row.cells) for row in rows], column


def _text_records(text: str, databases: set[str]) -> list[Record]:
    # Not splitlines(), which would also cut at the odd separators that a literal may hold.
    lines = text.removesuffix("\n").split("\n") if text else []
    parted = [line.rpartition("\t") for line in lines]
    are_named = 2 * sum(name.strip() in databases for _, _, name in parted) > len(lines)
    records = []
    for line, (sql, tab, name) in zip(lines, parted, strict=True):
        # Where most lines end in a database's name, an unknown last word is a misspelt name, not SQL.
        is_name = name.strip() in databases or (are_named and bool(tab) and len(name.split()) == 1)
        records.append({_JSON_COLUMN: sql, "database": name.strip()} if is_name else {_JSON_COLUMN: line})
    return records
