"""A database as one caller may see it: its schema, its queries and its errors without hidden names."""

import asyncio
import threading
from dataclasses import replace

from route_sql.tools.database.engine import Database, fresh_schema, policy_in
from route_sql.tools.database.error_words import readable_error
from route_sql.tools.database.guarded import OF_THE_SCHEMA, refused
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.roles import HasRole
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.guard.check import DIALECTS, check_sql
from route_sql.tools.guard.columns import show_only
from route_sql.tools.guard.refusal import DEFAULT_POLICY, Policy, Refusal
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility, VisibleSchema, visible_schema

_FAILED = "the query failed; use only the tables and columns of the schema"


class VisibleDatabase:
    """A `Database` of which its caller sees a part; no answer depends on the rest.

    Each query is checked against the visible schema and then rewritten so that it can't reach the rest (see
    `show_only`). A hidden table or column gets the same error as one that does not exist. A view shows what it selects,
    whether its tables are visible or not. SQLite's `rowid` can't be used in a table with hidden columns, since it may
    be one of them.

    Args:
        database: The whole database; it is closed with this one.
        visibility: What may be seen.
        checked: The patterns that must match something, unless they have a wildcard: a misspelt one would show what
            should be hidden.

    Raises:
        DatabaseUnavailable: the guard can't read the database's dialect, so that nothing can be hidden in it.
    """

    def __init__(self, database: Database, visibility: Visibility, *, checked: Visibility = EVERYTHING) -> None:
        """Read nothing before the first use."""
        if database.dialect not in DIALECTS:
            raise DatabaseUnavailable(
                f"in {database.name} nothing can be hidden, since its dialect {database.dialect} is not read here; "
                "remove allow and hide, and give its user rights on what may be seen only"
            )
        self.visibility = visibility
        self._database = database
        self.policy = policy_in(database)
        self._checked = checked
        if isinstance(database, HasRole):
            self.role = database.role
        self._narrowing = threading.Lock()
        self._narrowed: tuple[Schema, VisibleSchema] | None = None

    def __repr__(self) -> str:
        """The database, without hidden names."""
        return f"VisibleDatabase({self._database!r})"

    @property
    def name(self) -> str:
        """The name in the catalog."""
        return self._database.name

    @property
    def dialect(self) -> str:
        """The sqlglot name of the SQL dialect."""
        return self._database.dialect

    @property
    def limits(self) -> Limits:
        """The bounds of a query."""
        return self._database.limits

    async def schema(self) -> Schema:
        """The visible part of the schema; the same object until the database's schema changes.

        Raises:
            DatabaseUnavailable: the database can't be opened or read, or a pattern stands for nothing in it.
        """
        return (await self.visible()).schema

    async def visible(self) -> VisibleSchema:
        """The visible part of the schema, and the names of the rest.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        return await self._visible_part(await self._database.schema())

    async def _visible_part(self, whole: Schema) -> VisibleSchema:
        known = self._narrowed
        return known[1] if known and known[0] is whole else await asyncio.to_thread(self._narrow, whole)

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT on the visible part within `limits`; cancelling stops the query.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        whole = await self._database.schema()
        visible = await self._visible_part(whole)
        narrowed = await asyncio.to_thread(narrowed_query, sql, visible, self.dialect, self.policy)
        if isinstance(narrowed, Refusal) and narrowed.code in OF_THE_SCHEMA:
            whole = await fresh_schema(self._database)
            visible = await self._visible_part(whole)
            narrowed = await asyncio.to_thread(narrowed_query, sql, visible, self.dialect, self.policy)
        if isinstance(narrowed, Refusal):
            return refused(narrowed)
        outcome = await self._database.execute(narrowed, limits)
        if outcome["error"] is None or outcome["status"] == "timeout":  # a timeout has a sentence of ours
            return outcome
        return await asyncio.to_thread(self._with_readable_error, outcome, narrowed, visible, whole)

    def _with_readable_error(self, outcome: Outcome, narrowed: str, visible: VisibleSchema, whole: Schema) -> Outcome:
        """The outcome of a query that failed, with an error that says nothing about hidden names."""
        if check_sql(narrowed, whole, self.dialect, self.policy) is not None:
            return {**outcome, "error": _FAILED}  # its error has names of the whole schema
        return {**outcome, "error": readable_error(outcome["error"] or "", visible.schema)}

    async def warnings(self) -> tuple[str, ...]:
        """Warnings for the reader of an answer about the database's safety."""
        return await self._database.warnings()

    async def close(self) -> None:
        """Close the whole database."""
        await self._database.close()

    def _narrow(self, whole: Schema) -> VisibleSchema:
        with self._narrowing:
            if self._narrowed is None or self._narrowed[0] is not whole:
                self._check(whole)
                self._narrowed = whole, visible_schema(whole, self.visibility)
            return self._narrowed[1]

    def _check(self, whole: Schema) -> None:
        if wrong := self._checked.unmatched(whole):
            raise DatabaseUnavailable(
                f"allow or hide of the database {self.name} names tables or columns that it lacks: {', '.join(wrong)}; "
                "write table, table.column or schema.table as the database has them"
            )


def narrowed_query(sql: str, visible: VisibleSchema, dialect: str, policy: Policy = DEFAULT_POLICY) -> str | Refusal:
    """The query as it may run on the visible part, or why it may not run."""
    policy = replace(policy, only_shown=True, partial=visible.partial)
    return check_sql(sql, visible.schema, dialect, policy) or show_only(
        sql, visible.schema, visible.partial, dialect, visible.rows
    )


async def refusal_in(database: Database, sql: str) -> Refusal | None:
    """The refusal that a question's query would meet in a database, of which a part may be hidden; None for none.

    Raises:
        DatabaseUnavailable: the database can't be opened or read.
    """
    if isinstance(database, VisibleDatabase):
        visible = await database.visible()
        narrowed = await asyncio.to_thread(narrowed_query, sql, visible, database.dialect, database.policy)
        return narrowed if isinstance(narrowed, Refusal) else None
    schema = await database.schema()
    return await asyncio.to_thread(check_sql, sql, schema, database.dialect, policy_in(database))
