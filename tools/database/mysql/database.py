"""MySQL and MariaDB as databases: pymysql in worker threads, bounded, read-only."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import URL

from route_sql.tools.database.running.server import DEFAULT_LIMITS, ServerDatabase
from route_sql.tools.database.url_options import MYSQL, read_options
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits


class MySQLDatabase(ServerDatabase):
    """A `Database` on a MySQL (8.0 and later) or MariaDB (10.5 and later) server, opened when first used.

    Every query runs in a transaction that is READ ONLY and rolled back, in a session that is READ ONLY, on a
    connection that takes one statement a text. The server stops it at the deadline (`max_statement_time`,
    `max_execution_time`) and so do we, from outside (`KILL QUERY`). Rows come one by one; the server ends each at its
    `max_allowed_packet`. MariaDB also bounds the memory of the session; MySQL lets a plain role set no such bound.
    The session is reset after each query and a statement that gives no rows ends it, so that nothing that was set or
    locked stays.

    Args:
        name: The name in the catalog.
        url: `mysql://user:password@host:port/database` or `mariadb://...`; in its query the options that
            `url_options` lists, such as `ssl_ca`.
        limits: The bounds of every query that is not given its own.
        namespaces: The databases of the server to show beside each other; the one in the url needs no qualifying.
            None shows that one.
        pool: How many queries may run at once; each has a thread and a connection.
        wait_seconds: How long a query waits for one of them.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read what is hidden.
        guard: False, for benchmarks and tests only, sends text to the server that the static guard has not read.
        session: False, for benchmarks and tests only, runs text as it is and commits what it does.

    Raises:
        DatabaseUnavailable: the driver is not installed, the url names no database, or an option of it may not be set.
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
            from route_sql.tools.database.mysql.session import open_session
        except ImportError:
            raise DatabaseUnavailable("MySQL and MariaDB need their driver: pip install 'route-sql[mysql]'") from None
        if not url.database and not namespaces:
            raise DatabaseUnavailable(f"the url of {name!r} names no database; end it with /DATABASE")
        read_options(url, MYSQL, "MySQL or MariaDB")
        super().__init__(
            name,
            "mysql",
            partial(
                open_session,
                name,
                url.set(database=url.database or namespaces[0]),
                limits.memory_bytes,
                is_protected=session,
            ),
            limits,
            namespaces=namespaces,
            pool=pool,
            wait_seconds=wait_seconds,
            guard=guard,
            functions=functions,
        )
