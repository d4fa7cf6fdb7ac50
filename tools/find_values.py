"""The context tool that is always there: cells of the database that match words of the question."""

import asyncio

from langchain_core.tools import BaseTool, StructuredTool

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.schema.records import Schema
from route_sql.tools.values import ValueIndex, build_value_index, render_match

DESCRIPTION = "Find cells of the database that match words of the question."


def make_find_values(catalog: Catalog) -> BaseTool:
    """The tool `find_values(question, database)`; it answers a list of notes such as `city.name = 'Oslo'`.

    The index of a database is built on its first question and again when its schema changes.

    Raises (when called):
        UnknownDatabase: the catalog has no such database.
        DatabaseUnavailable: the database can't be read.
    """
    indexes = _Indexes()

    async def find_values(question: str, database: str) -> list[str]:
        opened = catalog.get(database)
        index = await indexes.of(opened, await opened.schema())
        matches = await asyncio.to_thread(index.match, question)
        return [render_match(match) for match in matches]

    return StructuredTool.from_function(coroutine=find_values, name="find_values", description=DESCRIPTION)


class _Indexes:
    """The value index of each database, built once however many questions wait for it."""

    def __init__(self) -> None:
        self._built: dict[str, tuple[Schema, ValueIndex]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, database: Database, schema: Schema) -> ValueIndex:
        async with self._locks.setdefault(database.name, asyncio.Lock()):
            known = self._built.get(database.name)
            if known is None or known[0] is not schema:
                known = (schema, await build_value_index(database, schema))
                self._built[database.name] = known
            return known[1]
