"""Schemas that data sets publish without the databases: the `tables.json` of Spider and BIRD."""

import json
from pathlib import Path
from typing import Any

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.text import words
from route_sql.training.errors import DatasetError


class PublishedSchema:
    """A `Database` of which only the schema is known: it has no sample values and runs no query."""

    dialect = "sqlite"
    limits = Limits()

    def __init__(self, name: str, schema: Schema) -> None:
        """Offer a schema under a name."""
        self.name = name
        self._schema = schema

    async def schema(self) -> Schema:
        """The published schema."""
        return self._schema

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Refuse every query."""
        return failed("refused", f"only the schema of {self.name} is there, not the database")

    async def warnings(self) -> tuple[str, ...]:
        """No warnings, since nothing can be run."""
        return ()

    async def close(self) -> None:
        """Do nothing, since nothing is open."""


def load_published_schemas(path: Path) -> dict[str, Schema]:
    """The schema of each database in a `tables.json`, with natural names that say more as comments.

    Raises:
        DatasetError: the file can't be read or has another form.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {str(entry["db_id"]): _schema(entry) for entry in entries}
    except OSError as error:
        raise DatasetError(f"{path} can't be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DatasetError(f"{path} is not in the form of Spider's and BIRD's tables.json: {error!r}") from error


def _schema(entry: dict[str, Any]) -> Schema:
    names: list[str] = entry["table_names_original"]
    columns: list[list[tuple[int, Column]]] = [[] for _ in names]
    for place, ((table, name), (_, natural)) in enumerate(
        zip(entry["column_names_original"], entry["column_names"], strict=True)
    ):
        if table >= 0:
            kind = str(entry["column_types"][place]).upper()
            columns[table].append((place, Column(name, kind, comment=_comment(name, natural))))
    return Schema("sqlite", tuple(_table(entry, place, name, columns[place]) for place, name in enumerate(names)))


def _comment(name: str, natural: str) -> str | None:
    return natural if "".join(words(natural)) != "".join(words(name)) else None


def _table(entry: dict[str, Any], table: int, name: str, columns: list[tuple[int, Column]]) -> Table:
    own = {place: column.name for place, column in columns}
    keys = [key if isinstance(key, list) else [key] for key in entry["primary_keys"]]
    primary = next((key for key in keys if all(place in own for place in key)), [])
    references = [
        ForeignKey((own[source],), *_target(entry, target)) for source, target in entry["foreign_keys"] if source in own
    ]
    return Table(
        name=name,
        columns=tuple(column for _, column in columns),
        primary_key=tuple(own[place] for place in primary),
        foreign_keys=tuple(references),
    )


def _target(entry: dict[str, Any], place: int) -> tuple[str, tuple[str, ...]]:
    table, column = entry["column_names_original"][place]
    return entry["table_names_original"][table], (column,)
