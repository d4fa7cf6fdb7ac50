"""A database whose columns are described by files beside it, as BIRD's are."""

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
"""Beside the database's file; it holds a CSV file for each table."""

Descriptions = Mapping[str, Mapping[str, str]]
"""What columns are, by table and column, both case-folded."""


class DescribedDatabase(SQLiteDatabase):
    """A SQLite file with a comment for each column that the files in `descriptions` describe."""

    def __init__(self, name: str, path: Path, descriptions: Path) -> None:
        """The descriptions are read with the first schema."""
        super().__init__(name, path)
        self._descriptions = descriptions
        self._told: Descriptions | None = None
        self._described: tuple[Schema, Schema] | None = None

    async def schema(self) -> Schema:
        """The schema with the comments; the same object until the database's schema changes.

        Raises:
            DatabaseUnavailable: the database can't be opened or read.
            DatasetError: a description can't be read.
        """
        schema = await super().schema()
        if self._told is None:
            self._told = await asyncio.to_thread(read_descriptions, self._descriptions)
        if self._described is None or self._described[0] is not schema:
            self._described = schema, described(schema, self._told)
        return self._described[1]


def read_descriptions(folder: Path) -> Descriptions:
    """What the files of a folder say of columns: the natural name if it says more than the name, else the description.

    Lines that lack what others have, and text that is not UTF-8, are met in published data and taken as they are.

    Raises:
        DatasetError: a file can't be read.
    """
    return {file.stem.casefold(): _of_table(file) for file in sorted(folder.glob("*.csv"))}


def described(schema: Schema, told: Descriptions) -> Schema:
    """A schema with these comments; SQLite has none of its own."""
    return replace(schema, tables=tuple(_described(table, told.get(table.name.casefold(), {})) for table in schema))


def _described(table: Table, told: Mapping[str, str]) -> Table:
    def commented(column: Column) -> Column:
        return replace(column, comment=told.get(column.name.casefold()))

    return replace(table, columns=tuple(map(commented, table.columns)))


def _of_table(file: Path) -> dict[str, str]:
    told: dict[str, str] = {}
    for row in _rows(file):
        cells = {str(key).strip(): str(value or "").strip() for key, value in row.items()}
        name = cells.get("original_column_name", "")
        sayings = (cells.get("column_name", ""), cells.get("column_description", ""))
        if more := next((said for said in sayings if said and "".join(words(said)) != "".join(words(name))), None):
            told[name.casefold()] = more
    return told


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{file} can't be read: {error}") from error
