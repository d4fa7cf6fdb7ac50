"""A database with files next to it that describe its columns, as BIRD's have."""

import asyncio
import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.text import words
from route_sql.training.errors import DatasetError

FOLDER = "database_description"
"""A folder next to the database's file, with a CSV file for each table."""

Descriptions = Mapping[str, Mapping[str, str]]
"""Descriptions of columns, by table and column, both case-folded."""


class DescribedDatabase(SQLiteDatabase):
    """A SQLite file with a comment for each column that the files in `descriptions` describe."""

    def __init__(self, name: str, path: Path, descriptions: Path) -> None:
        """The descriptions are read with the first schema."""
        super().__init__(name, path)
        self._descriptions = descriptions
        self._descriptions_read: Descriptions | None = None
        self._described: tuple[Schema, Schema] | None = None

    async def schema(self) -> Schema:
        """The schema with the comments; the same object until the database's schema changes.

        Raises:
            DatabaseUnavailable: the database can't be opened or read.
            DatasetError: a description can't be read.
        """
        schema = await super().schema()
        if self._descriptions_read is None:
            self._descriptions_read = await asyncio.to_thread(read_descriptions, self._descriptions)
        if self._described is None or self._described[0] is not schema:
            self._described = schema, with_descriptions(schema, self._descriptions_read)
        return self._described[1]


def read_descriptions(folder: Path) -> Descriptions:
    """The descriptions of columns in a folder: the natural name if it says more than the name, else the description.

    Published data has lines that lack fields and text that is not UTF-8; the readable part of both is used.

    Raises:
        DatasetError: a file can't be read.
    """
    return {file.stem.casefold(): _of_table(file) for file in sorted(folder.glob("*.csv"))}


def with_descriptions(schema: Schema, descriptions: Descriptions) -> Schema:
    """The schema with the descriptions as comments; SQLite has no comments of its own."""
    tables = (_described(table, descriptions.get(table.name.casefold(), {})) for table in schema)
    return replace(schema, tables=tuple(tables))


def _described(table: Table, descriptions: Mapping[str, str]) -> Table:
    def commented(column: Column) -> Column:
        return replace(column, comment=descriptions.get(column.name.casefold()))

    return replace(table, columns=tuple(map(commented, table.columns)))


def _of_table(file: Path) -> dict[str, str]:
    descriptions: dict[str, str] = {}
    for row in _rows(file):
        cells = {str(key).strip(): str(value or "").strip() for key, value in row.items()}
        name = cells.get("original_column_name", "")
        sayings = (cells.get("column_name", ""), cells.get("column_description", ""))
        if more := next((said for said in sayings if said and "".join(words(said)) != "".join(words(name))), None):
            descriptions[name.casefold()] = more
    return descriptions


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{file} can't be read: {error}") from error
