"""A team's own questions with the SQL that answered them: a CSV or JSON Lines file."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from route_sql.training.datasets.examples import Example, queries_of
from route_sql.training.errors import DatasetError

REQUIRED = ("question", "sql", "database")


def load_query_log(path: Path) -> list[Example]:
    """The pairs of a query log, in its order.

    Each line of a `.jsonl` file is an object, and the first line of a `.csv` file names its columns: `question`, `sql`,
    `database` (the database's name), and `evidence` if there is any. In JSON, `sql` may be a list of queries: an answer
    is right if it is equal to any; the first is the gold SQL.

    Raises:
        DatasetError: the file can't be read, has another ending, or a line lacks a field.
    """
    readers = {".jsonl": _json_lines, ".csv": _csv_lines}
    if path.suffix.lower() not in readers:
        raise DatasetError(f"{path} is not a query log; give a .csv or .jsonl file with {', '.join(REQUIRED)}")
    try:
        entries = readers[path.suffix.lower()](path)
    except OSError as error:
        raise DatasetError(f"{path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text: {error}") from error
    return [_example(path, index, entry) for index, entry in enumerate(entries)]


def _csv_lines(path: Path) -> list[Mapping[str, object]]:
    # A byte order mark, which spreadsheets write, would become part of the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return list(csv.DictReader(file))
        except csv.Error as error:
            raise DatasetError(f"{path} is not a CSV file: {error}") from error


def _json_lines(path: Path) -> list[Mapping[str, object]]:
    return list(_objects(path, path.read_text(encoding="utf-8").split("\n")))


def _objects(path: Path, lines: Iterable[str]) -> Iterable[Mapping[str, object]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise DatasetError(f"{path}, line {number} is not an object with {', '.join(REQUIRED)}")
        yield entry


def _example(path: Path, index: int, entry: Mapping[str, object]) -> Example:
    queries = queries_of(entry, "sql")
    fields = {**{name: entry.get(name) for name in REQUIRED}, "sql": queries[0] if queries else None}
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and value.strip()}
    if lacking := [name for name in REQUIRED if name not in texts]:
        raise DatasetError(f"{path}: pair {index + 1} lacks {', '.join(lacking)}; each needs {', '.join(REQUIRED)}")
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
    try:
        entries = _json_lines(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} can't be read: {error}") from error
    for place, entry in enumerate(entries, start=1):
        index, sql = entry.get("index"), entry.get("sql")
        if not isinstance(index, int) or not isinstance(sql, str | None):
            raise DatasetError(f"{path}: reply {place} needs index (a number) and sql (text or null)")
        if sql:
            replies.setdefault(index, []).append(sql)
    return replies
