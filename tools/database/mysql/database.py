"""MySQL and MariaDB as databases: pymysql in worker threads, bounded, read-only."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import URL

from route_sql.tools.database.running.server import ServerDatabase
from route_sql.tools.database.running.server_session import ServerSession
from route_sql.tools.database.url_options import MYSQL, read_options
from route_sql.tools.errors import DatabaseUnavailable


class MySQLDatabase(ServerDatabase):
    """A `Database` on a MySQL (8.0 and later) or MariaDB (10.5 and later) server, opened when first used.

    Every query runs in a transaction that is READ ONLY and rolled back, in a session that is READ ONLY, on a
    connection that takes one statement per text. The server stops it at the deadline (`max_statement_time`,
    `max_execution_time`) and so do we, from outside (`KILL QUERY`). Rows come one by one; the server ends each at its
    `max_allowed_packet`. MariaDB also bounds the memory of the session; in MySQL a role without privileges can't set
    such a bound. The session is reset after each query, and ended after a statement without rows, so that no setting
    and no lock stays.

    The url is `mysql://user:password@host:port/database` or `mariadb://...`, with the options that `url_options` lists
    in its query, such as `ssl_ca`. It must name a database, unless `namespaces` does. The `namespaces` are databases of
    the server that are shown together; names in the one of the url need no prefix.
    """

    dialect = "mysql"

    def _session_opener(self, url: URL) -> Callable[[], ServerSession]:
        try:
            from route_sql.tools.database.mysql.session import open_session  # needs pymysql, an optional library
        except ImportError:
            raise DatabaseUnavailable("MySQL and MariaDB need their driver: pip install 'route-sql[mysql]'") from None
        options = self._options
        if not url.database and not options.namespaces:
            raise DatabaseUnavailable(f"the url of {self.name!r} names no database; end it with /DATABASE")
        read_options(url, MYSQL, "MySQL or MariaDB")
        opened = url.set(database=url.database or options.namespaces[0])
        return partial(open_session, self.name, opened, options.limits.memory_bytes, is_protected=options.session)
