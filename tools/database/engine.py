"""The protocol of every database adapter; a new engine is a folder next to `sqlite/` with a class that satisfies it."""

from typing import Protocol, runtime_checkable

from route_sql.tools.database.outcome import Outcome
from route_sql.tools.guard.refusal import DEFAULT_POLICY, Policy
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema


class Database(Protocol):
    """One database, opened lazily, read-only, safe to share between concurrent questions."""

    @property
    def name(self) -> str:
        """The name in the catalog."""

    @property
    def dialect(self) -> str:
        """The sqlglot name of the SQL dialect, such as `sqlite`."""

    @property
    def limits(self) -> Limits:
        """The bounds of a query without bounds of its own; a caller may lower them, not raise them."""

    async def schema(self) -> Schema:
        """The reflected schema with sample values, cached until the database's schema changes.

        Raises:
            DatabaseUnavailable: the database can't be opened or read.
        """

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one read-only statement within `limits` and off the event loop; cancelling stops the query.

        Whatever is wrong with the SQL is in the outcome, not raised.

        Raises:
            DatabaseUnavailable: the database can't be opened or read.
        """

    async def warnings(self) -> tuple[str, ...]:
        """Warnings for every answer about weaker protection of this database; usually none.

        Raises:
            DatabaseUnavailable: the database can't be reached.
        """

    async def close(self) -> None:
        """Release connections and threads; the database may not be used afterwards."""


@runtime_checkable
class HasFreshSchema(Protocol):
    """A database whose `schema` may be a little out of date."""

    async def fresh_schema(self) -> Schema:
        """The schema, after a check whether the database has changed it."""


async def fresh_schema(database: Database) -> Schema:
    """The current schema, not a cached one that may be out of date."""
    return await (database.fresh_schema() if isinstance(database, HasFreshSchema) else database.schema())


@runtime_checkable
class HasPolicy(Protocol):
    """A database in which more is allowed than the guard's lists name."""

    @property
    def policy(self) -> Policy:
        """Policy of the database: functions that are allowed beyond the lists."""


def policy_in(database: Database) -> Policy:
    """Policy that the guard is called with for a database."""
    return database.policy if isinstance(database, HasPolicy) else DEFAULT_POLICY
