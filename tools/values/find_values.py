"""Built-in context tool: cells of the database that match words of the question."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rights.visibility import Visibility, rights_given
from route_sql.tools.values.building import build_value_index
from route_sql.tools.values.index import ValueIndex, render_match

SchemaOf = Callable[[str, Visibility], Awaitable[Schema]]
INDEXES = 64
"""Number of indexes that are kept; each holds up to 2,000 texts for each column."""
BUILDS = 4
"""Number of times that an index is built at most; columns that are too slow each time are left out for good."""
QUICK_TEXTS, QUICK_CHARS = 500, 200
"""Texts of an index, and characters of a question, up to which they are compared without a thread, which costs more."""
DESCRIPTION = "Find cells of the database that match words of the question."


def make_find_values(
    catalog: Catalog, indexes: "ValueIndexes | None" = None, schema_of: SchemaOf | None = None
) -> BaseTool:
    """Make the tool `find_values(question, database)`, which returns notes such as `city.name = 'Oslo'`.

    The caller may also pass `allow`, `hide` and `within` (see `rights_given`); a model does not see these arguments.

    Args:
        catalog: The databases.
        indexes: Indexes to share with others; None for indexes of the tool's own.
        schema_of: Gives the schema of a database to a caller with these rights; None asks the database each time.

    Raises (when called):
        UnknownDatabase: the catalog has no such database.
        DatabaseUnavailable: the database can't be read.
    """
    shared = indexes or ValueIndexes()

    async def find_values(
        question: str,
        database: str,
        allow: Annotated[list[str] | None, InjectedToolArg] = None,
        hide: Annotated[list[str] | None, InjectedToolArg] = None,
        within: Annotated[dict[str, Any] | None, InjectedToolArg] = None,
    ) -> list[str]:
        rights = rights_given(allow, hide, within)
        opened = catalog.get(database, rights)
        index = await shared.of(opened, await (schema_of(database, rights) if schema_of else opened.schema()))
        is_quick = len(index) <= QUICK_TEXTS and len(question) <= QUICK_CHARS
        matches = index.match(question) if is_quick else await asyncio.to_thread(index.match, question)
        return [render_match(match, opened.dialect) for match in matches]

    return StructuredTool.from_function(coroutine=find_values, name="find_values", description=DESCRIPTION)


class ValueIndexes:
    """Value index of each database, built once even if several questions wait for it.

    The index of a database is built on its first question and rebuilt when its schema changes. Columns that there was
    no time to read, on a busy machine say, are read by one of the next questions. A question that is stopped does not
    stop the build. Callers with different rights have different `Database` objects, so they never share an index.
    """

    def __init__(self) -> None:
        """No index yet."""
        self._built: OrderedDict[int, _Built] = OrderedDict()

    async def of(self, database: Database, schema: Schema) -> ValueIndex:
        """The index of a database with this schema.

        Raises:
            DatabaseUnavailable: the database can't be read.
        """
        # A kept entry keeps its database alive, so that no other database gets the same id.
        known = self._built.setdefault(id(database), _Built(database))
        self._built.move_to_end(id(database))
        while len(self._built) > INDEXES:
            self._built.popitem(last=False)
        index = known.current(schema)
        # No await lies between the two calls, so that the questions of an event loop share one build.
        return await asyncio.shield(known.build(schema)) if index is None else index


@dataclass
class _Built:
    database: Database
    schema: Schema | None = None
    index: ValueIndex | None = None
    builds: int = 0
    building: asyncio.Task[ValueIndex] | None = None
    wanted: Schema | None = None
    """The schema of the build."""

    def current(self, schema: Schema) -> ValueIndex | None:
        """The index of this schema, if nothing is left to read."""
        if self.index is None or self.schema is not schema or (self.index.unread and self.builds < BUILDS):
            return None
        return self.index

    def build(self, schema: Schema) -> "asyncio.Task[ValueIndex]":
        """The build under way, which an earlier question may have begun, or a new one."""
        task = self.building
        if (
            task is None
            or task.done()
            or self.wanted is not schema
            or task.get_loop() is not asyncio.get_running_loop()
        ):
            self.wanted = schema
            task = self.building = asyncio.create_task(self._build(schema))
            task.add_done_callback(_retrieve)
        return task

    async def _build(self, schema: Schema) -> ValueIndex:
        before = self.index if self.schema is schema else None
        index = await build_value_index(self.database, schema, before=before)
        if self.wanted is schema:
            self.schema, self.index, self.builds = schema, index, 1 if before is None else self.builds + 1
        return index


def _retrieve(task: "asyncio.Task[ValueIndex]") -> None:
    """Look at the error of a build that nobody waits for any more: the next question builds again and reports it."""
    if not task.cancelled():
        task.exception()
