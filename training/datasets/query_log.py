"""A team's own questions with the SQL that answered them: a CSV or JSON Lines file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from route_sql.training.datasets.csv_tables import read_text, table_rows
from route_sql.training.datasets.examples import Example, queries_of
from route_sql.training.errors import DatasetError

REQUIRED = ("question", "sql", "database")
_COLUMNS = (*REQUIRED, "evidence")

_LogEntry = Mapping[str, object]


def load_query_log(path: Path) -> list[Example]:
    """The pairs of a query log, in its order.

    Each line of a `.jsonl` file is an object, and the first row of a `.csv` file names its columns: `question`, `sql`,
    `database` (the database's name), and `evidence` if there is any. In JSON, `sql` may be a list of queries: an answer
    is right if it is equal to any; the first is the gold SQL.

    Raises:
        DatasetError: the file can't be read, has another ending, or a line lacks a field.
    """
    readers = {".jsonl": _json_lines, ".csv": _csv_rows}
    if path.suffix.lower() not in readers:
        raise DatasetError(f"{path} is not a query log; give a .csv or .jsonl file with {', '.join(REQUIRED)}")
    entries = readers[path.suffix.lower()](path)
    return [_example(f"{path}, {place}", index, entry) for index, (place, entry) in enumerate(entries)]


def _csv_rows(path: Path) -> Iterator[tuple[str, _LogEntry]]:
    for row in table_rows(path, read_text(path, DatasetError), _COLUMNS, DatasetError):
        if row.fault:
            raise DatasetError(f"{path}, row {row.number}: {row.fault}")
        yield f"row {row.number}", {**row.cells, "database": row.cells.get("database", "").strip()}


def _json_lines(path: Path) -> Iterator[tuple[str, _LogEntry]]:
    """Each line's place and object; blank lines are left out."""
    for number, line in enumerate(read_text(path, DatasetError, only_utf8=True).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise DatasetError(f"{path}, line {number} is not an object with {', '.join(REQUIRED)}")
        yield f"line {number}", entry


def _example(place: str, index: int, entry: _LogEntry) -> Example:
    queries = queries_of(entry, "sql")
    fields = {**{name: entry.get(name) for name in REQUIRED}, "sql": queries[0] if queries else None}
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and value.strip()}
    if lacking := [name for name in REQUIRED if name not in texts]:
        raise DatasetError(f"{place} lacks {', '.join(lacking)}; each pair needs {', '.join(REQUIRED)}")
    evidence = str(entry.get("evidence") or "")
    return Example(index, texts["database"], texts["question"], evidence, queries[0], accepted=queries[1:])


def load_replies(path: Path | None) -> dict[int, list[str]]:
    """A model's replies to training questions: a JSON Lines file of `index` (in the questions file) and `sql`.

    Raises:
        DatasetError: the file can't be read or a line lacks a field.
    """
    if path is None:
        return {}
    replies: dict[int, list[str]] = {}
    for place, entry in _json_lines(path):
        index, sql = entry.get("index"), entry.get("sql")
        if not isinstance(index, int) or not isinstance(sql, str | None):
            raise DatasetError(f"{path}, {place}: a reply needs index (a number) and sql (text or null)")
        if sql:
            replies.setdefault(index, []).append(sql)
    return replies
