"""Cells of PostgreSQL: numbers, booleans and bytes become Python's, all others stay as the server writes them."""

from functools import cache
from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.types.array import ArrayLoader

from route_sql.tools.database.running.cells import Spelling, WrittenList

SPELLING: Spelling = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
_AS_VALUES = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "bytea"}
"""The types that become Python values; the others (dates, JSON, ranges, addresses) stay as PostgreSQL writes them."""


class _AdaptContext:
    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)


class _Text(Loader):
    """Text as PostgreSQL writes it; an old database may hold text that is not UTF-8."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode(errors="replace")


class _Array(ArrayLoader):
    """A list that knows its text, such as `{1.50,NULL}`."""

    def load(self, data: Buffer) -> list[Any]:
        loaded = WrittenList(super().load(data))
        loaded.text = bytes(data).decode(errors="replace")
        return loaded


@cache
def plain_cells() -> AdaptContext:
    """The loaders of a connection whose cells are shown to people and models."""
    context = _AdaptContext()
    for known in context.adapters.types:
        if known.name not in _AS_VALUES:
            context.adapters.register_loader(known.oid, _Text)
        if known.array_oid:
            own = {"base_oid": known.oid, "delimiter": known.delimiter.encode()}
            context.adapters.register_loader(known.array_oid, type("Array", (_Array,), own))
    context.adapters.register_loader(0, _Text)
    return context
