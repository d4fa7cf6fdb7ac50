"""PostgreSQL as a database: psycopg 3 in worker threads, bounded, read-only."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import URL

from route_sql.tools.database.running.server import ServerDatabase
from route_sql.tools.database.running.server_session import ServerSession
from route_sql.tools.database.url_options import POSTGRES, read_options
from route_sql.tools.errors import DatabaseUnavailable


class PostgresDatabase(ServerDatabase):
    """A `Database` on a PostgreSQL server (14 and later). Nothing is opened before it is first used.

    Every query runs as a server-side cursor, which takes nothing but one query, in a transaction that is READ ONLY
    and rolled back; all settings end with it. A connection that nobody else uses is then wiped (`DISCARD ALL`), so
    that no advisory lock stays. A connection that a pooler shares is not wiped: there the locks that a query took are
    released one by one.

    The server stops a query at the deadline (`statement_timeout`) and so do we, from outside. Rows come in pieces of
    about a megabyte, so memory is bounded except for a single row: PostgreSQL sends a whole row, up to 1 GB. Over TCP
    on Linux the bytes are counted as they come and the connection is cut before `memory_bytes` are taken. The memory of
    the server is not bounded: PostgreSQL has no cap on a query's memory.

    The url is `postgresql://user:password@host:port/database`, with the options of libpq that `url_options` lists in
    its query, such as `sslmode`. The first of the `namespaces` needs no qualifying; none shows the role's own.
    """

    dialect = "postgres"

    def _session_opener(self, url: URL) -> Callable[[], ServerSession]:
        try:
            from route_sql.tools.database.postgres.session import open_session  # needs psycopg, an optional library
        except ImportError:
            raise DatabaseUnavailable("PostgreSQL needs its driver: pip install 'route-sql[postgres]'") from None
        read_options(url, POSTGRES, "PostgreSQL")
        options = self._options
        return partial(open_session, self.name, url, options.namespaces, is_protected=options.session)
