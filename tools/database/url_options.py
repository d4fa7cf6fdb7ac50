"""The options that a database's URL may have after the `?`; any other is refused.

Drivers have options that write, read local files, run statements or remove our bounds, and new releases bring more. So
each option is listed with its type.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import URL

from route_sql.tools.errors import DatabaseUnavailable

MOST_CONNECT_SECONDS = 60
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")

Option = tuple[str, Callable[[str], object]]
"""The values in words, and how one is read: None if it is not one of them."""


def _one_of(*values: str) -> Option:
    return " or ".join(values), lambda text: text if text in values else None


def _whole(most: int, least: int = 0) -> Option:
    def read(text: str) -> int | None:
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        return int(text) if is_number and least <= int(text) <= most else None

    return f"a whole number from {least} to {most}", read


def _read_flag(text: str) -> bool | None:
    return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None


def _read_text(text: str) -> str | None:
    return text if text and text.isprintable() else None


_FLAG: Option = ("true or false", _read_flag)
_TEXT: Option = ("a text", _read_text)
_FILE: Option = ("the path of a file", _read_text)
_SECONDS = _whole(MOST_CONNECT_SECONDS, 1)
_PROTOCOL = _one_of("TLSv1.2", "TLSv1.3")

POSTGRES: Mapping[str, Option] = {
    "host": _TEXT,
    "hostaddr": _TEXT,
    "port": _TEXT,
    "application_name": _TEXT,
    "connect_timeout": _SECONDS,
    "client_encoding": _one_of("utf8", "UTF8", "utf-8", "UTF-8"),
    "target_session_attrs": _one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": _one_of("disable", "random"),
    "sslmode": _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": _one_of("postgres", "direct"),
    "sslrootcert": _FILE,
    "sslcert": _FILE,
    "sslkey": _FILE,
    "sslcrl": _FILE,
    "sslsni": _one_of("0", "1"),
    "ssl_min_protocol_version": _PROTOCOL,
    "ssl_max_protocol_version": _PROTOCOL,
    "channel_binding": _one_of("disable", "prefer", "require"),
    "gssencmode": _one_of("disable", "prefer", "require"),
    "krbsrvname": _TEXT,
    "keepalives": _one_of("0", "1"),
    "keepalives_idle": _whole(86_400),
    "keepalives_interval": _whole(86_400),
    "keepalives_count": _whole(1_000),
    "tcp_user_timeout": _whole(600_000),
}
"""libpq's options. libpq reads keys and certificates itself; files of passwords and services are not among them."""
MYSQL: Mapping[str, Option] = {
    "charset": _one_of("utf8mb4", "utf8"),
    "connect_timeout": _SECONDS,
    "unix_socket": _FILE,
    "ssl_ca": _FILE,
    "ssl_capath": ("the path of a folder", _read_text),
    "ssl_cert": _FILE,
    "ssl_key": _FILE,
    "ssl_cipher": _TEXT,
    "ssl_check_hostname": _FLAG,
    "ssl_verify_cert": _FLAG,
    "ssl_verify_identity": _FLAG,
}
SQLITE: Mapping[str, Option] = {"mode": _one_of("ro")}
DUCKDB: Mapping[str, Option] = {"access_mode": _one_of("read_only", "READ_ONLY")}
"""Files are read-only anyway; these options only repeat it."""

_SEVERAL = ("host", "hostaddr", "port")


def read_options(url: URL, known: Mapping[str, Option], title: str) -> dict[str, object]:
    """The options of a URL with their types.

    Args:
        url: The URL; no message shows its values.
        known: The options that may be set.
        title: The engine's name.

    Raises:
        DatabaseUnavailable: an option is unknown, is given twice, or has another type.
    """
    return {name: _read(name, value, known, title) for name, value in url.query.items()}


def _read(name: str, value: str | tuple[str, ...], known: Mapping[str, Option], title: str) -> object:
    if name not in known:
        shown = name if name.isascii() and name.isidentifier() and len(name) < 40 else "given"
        raise DatabaseUnavailable(
            f"the option {shown} may not be set in a {title} url; remove it. These may: {', '.join(sorted(known))}"
        )
    if not isinstance(value, str) and name not in _SEVERAL:
        raise DatabaseUnavailable(f"the option {name} is given twice in the {title} url; keep one")
    words, read = known[name]
    values = [value] if isinstance(value, str) else list(value)
    typed = [read(text) for text in values]
    if None in typed:
        raise DatabaseUnavailable(f"the option {name} of the {title} url must be {words}")
    return typed[0] if isinstance(value, str) else tuple(typed)
