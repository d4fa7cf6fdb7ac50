"""Connections to MySQL and MariaDB: the meaning of a URL, and of errors."""

import re
import ssl
from collections.abc import Mapping
from typing import Any

import pymysql
from pymysql.constants import CR, ER
from sqlalchemy import URL

from route_sql.tools.database.mysql.cells import CONVERSIONS
from route_sql.tools.database.running.server_session import CONNECT_SECONDS, LOCKED, Fault
from route_sql.tools.database.url_options import MYSQL, read_options

DEFAULT_PORT = 3306
_RESET = 0x1F
"""COM_RESET_CONNECTION, which pymysql does not name."""
STATEMENT_TIMEOUT = 1969
"""MariaDB's code; pymysql knows MySQL's."""
CONNECTION_KILLED = 1927
_TIMEOUTS = {STATEMENT_TIMEOUT, 3024, ER.QUERY_INTERRUPTED}
_LOST = {
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    2055,
    ER.SERVER_SHUTDOWN,
    CONNECTION_KILLED,
    4031,
    0,
}
_REFUSED = {
    1792,  # in a READ ONLY transaction
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
    ER.PROCACCESS_DENIED_ERROR,
    ER.ACCESS_DENIED_ERROR,
}
_MEMORY = re.compile(r"max.session.mem.used|Out of memory|tmp_disk_table_size|table .* is full", re.IGNORECASE)
_WHO = re.compile(r" (to|for) user '[^']*'@'[^']*'| \(using password: \w+\)")

_MANUAL = re.compile(r"You have an error in your SQL syntax; check the manual .* syntax to use near")


def connect(url: URL, seconds: float) -> "pymysql.connections.Connection[Any]":
    """Connect by a URL; a text is one statement, and no local file is ever sent.

    Args:
        url: Server, user and options.
        seconds: Seconds for each step, and for each answer until `allow` changes that.

    Raises:
        pymysql.err.MySQLError: the server can't be reached or refuses the login.
        OSError: a certificate or key can't be read.
    """
    options = read_options(url, MYSQL, "MySQL or MariaDB")
    who = {"host": url.host or "localhost", "port": url.port or DEFAULT_PORT, "user": url.username}
    how = {"password": url.password or "", "database": url.database, "unix_socket": options.get("unix_socket")}
    fixed = {"charset": "utf8mb4", "local_infile": False, "autocommit": True, "program_name": "route-sql"}
    patience = options.get("connect_timeout", seconds)
    timeouts = {"connect_timeout": patience, "read_timeout": seconds, "write_timeout": seconds}
    return pymysql.connect(**{**who, **how, **timeouts, **fixed, "conv": CONVERSIONS, "ssl": _encryption(options)})


def _encryption(options: Mapping[str, Any]) -> ssl.SSLContext | None:
    """TLS settings of the connection; None if the URL does not say. With an authority the server is verified."""
    if not any(name.startswith("ssl_") for name in options):
        return None
    file, folder = options.get("ssl_ca"), options.get("ssl_capath")
    verifies = options.get("ssl_verify_cert", bool(file or folder))
    by_default = options.get("ssl_check_hostname", bool(file or folder) and verifies)
    is_named = options.get("ssl_verify_identity", by_default)
    context = ssl.create_default_context(cafile=file, capath=folder)
    context.check_hostname = False  # else the mode can't be changed
    context.verify_mode = ssl.CERT_REQUIRED if verifies or is_named else ssl.CERT_NONE
    context.check_hostname = is_named
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates that MySQL makes by itself do not pass
    if "ssl_cert" in options:
        context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    if "ssl_cipher" in options:
        context.set_ciphers(options["ssl_cipher"])
    return context


def reset(connection: "pymysql.connections.Connection[Any]") -> None:
    """Roll back and set the session up as new: its variables, locks, temporary tables and prepared statements go.

    Raises:
        pymysql.err.MySQLError: the server does not know how, or was lost.
    """
    connection._execute_command(_RESET, b"")  # the driver offers no other way
    connection._read_ok_packet()


def allow(connection: "pymysql.connections.Connection[Any]", seconds: float) -> None:
    """Set the seconds that the connection waits for answers from now on."""
    connection._read_timeout = seconds  # the driver offers no other way once it is connected


def fault_of(error: Exception) -> Fault:
    """The meaning of an error; its message is without the names of user and machine."""
    code, message = code_and_message(error)
    if code in _TIMEOUTS:
        return Fault("timeout")
    if code in _LOST or isinstance(error, pymysql.err.InterfaceError):
        return Fault("lost")
    if code in (ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK):
        return Fault("error", LOCKED)
    if _MEMORY.search(message):
        return Fault("memory")
    return Fault("refused" if code in _REFUSED else "error", message)


def code_and_message(error: Exception) -> tuple[int, str]:
    """The server's code (0 if it has none) and its first line."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    message = str(error.args[1] if len(error.args) > 1 else error)
    return code, _MANUAL.sub("syntax error near", _WHO.sub("", message)).partition("\n")[0]


def reason_of(error: Exception) -> str:
    """The reason why there is no connection and the remedy, without the driver's words, which name user and host."""
    code, message = code_and_message(error)
    if code in (ER.ACCESS_DENIED_ERROR, 1698):
        return "user or password are wrong; check the url"
    if code in (ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR):
        return "there is no such database, or the user may not use it; check the url"
    if code in (ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, 1226):
        return "it has no connection left; lower pool, or raise its limit of connections"
    if code in (ER.HOST_NOT_PRIVILEGED, ER.HOST_IS_BLOCKED):
        return "it does not let this machine in; an administrator must allow it"
    if isinstance(error, OSError | ValueError):
        return "a certificate or key can't be used; check the ssl_ options of the url and their files"
    if code in (CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR):
        return _unreachable(message)
    if code in (CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR):
        return f"it did not answer within {CONNECT_SECONDS} s or hung up; check host, port and firewall"
    return f"no connection could be made (code {code}); check the url"


def _unreachable(message: str) -> str:
    if "refused" in message:
        return "nothing listens at that host and port; see that it runs and check the url"
    if "No such file" in message:
        return "there is no socket at that place; see that it runs and check the url"
    if "timed out" in message:
        return f"it did not answer within {CONNECT_SECONDS} s; check host, port and firewall"
    return "the host is not known or can't be reached; check the url"
