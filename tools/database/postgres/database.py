"""PostgreSQL as a database: psycopg 3 in worker threads, bounded, read-only."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import URL

from route_sql.tools.database.running.server import DEFAULT_LIMITS, ServerDatabase
from route_sql.tools.database.url_options import POSTGRES, read_options
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits


class PostgresDatabase(ServerDatabase):
    """A `Database` on a PostgreSQL server (14 and later). Nothing is opened before it is first used.

    Every query runs as a server-side cursor, which takes nothing but one query, in a transaction that is READ ONLY
    and rolled back; all settings end with it. A connection that is ours alone is then wiped (`DISCARD ALL`), so that
    no advisory lock stays. One that a pooler shares is not, as others use it; there the guard refuses such locks.

    The server stops a query at the deadline (`statement_timeout`) and so do we, from outside. Rows come in pieces of
    about a megabyte, so memory is bounded but for one single row: PostgreSQL sends a row whole, up to 1 GB. Over TCP on
    Linux the bytes are counted as they come and the connection is cut before `memory_bytes` are taken. The memory of
    the server is not bounded: PostgreSQL has no cap on a query's memory.

    Args:
        name: The name in the catalog.
        url: `postgresql://user:password@host:port/database`; in its query the options of libpq that `url_options`
            lists, such as `sslmode`.
        limits: The bounds of every query that is not given its own.
        namespaces: The schemas to show, the first of which needs no qualifying; none shows the role's own.
        pool: How many queries may run at once; each has a thread and a connection.
        wait_seconds: How long a query waits for one of them.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read what is hidden.
        guard: False, for benchmarks and tests only, sends text to the server that the static guard has not read.
        session: False, for benchmarks and tests only, runs text as it is and commits what it does.

    Raises:
        DatabaseUnavailable: the driver is not installed, or an option of the url may not be set.
    """

    def __init__(
        self,
        name: str,
        url: URL,
        limits: Limits = DEFAULT_LIMITS,
        *,
        namespaces: Sequence[str] = (),
        pool: int = 4,
        wait_seconds: float = 10.0,
        functions: Sequence[str] = (),
        guard: bool = True,
        session: bool = True,
    ) -> None:
        """Open nothing yet."""
        try:
            from route_sql.tools.database.postgres.session import open_session
        except ImportError:
            raise DatabaseUnavailable("PostgreSQL needs its driver: pip install 'route-sql[postgres]'") from None
        read_options(url, POSTGRES, "PostgreSQL")
        super().__init__(
            name,
            "postgres",
            partial(open_session, name, url, namespaces, is_protected=session),
            limits,
            namespaces=namespaces,
            pool=pool,
            wait_seconds=wait_seconds,
            guard=guard,
            functions=functions,
        )
