"""`databases.toml`: the databases, the visible part of each, and its bounds.

[databases.shop]
url = "postgresql://reader:${SHOP_PASSWORD}@db.example/shop"   # or the path of a file, relative to this file's folder
schemas = ["public", "sales"]         # the engine's schema names to show; by default its own
allow = ["customer", "sales.*"]       # what may be seen: table, table.column, schema.table; by default everything;
                                      # an empty list is an error, since nothing could be asked
hide = ["customer.email", "*.iban"]   # what may not be seen, whatever allow says
functions = ["st_*", "gis.area"]      # functions that may be called beyond the guard's list; each must only read
notes = "shop.md"                     # a glossary for the agents
accept_weak_bounds = false            # true: any engine of SQLAlchemy's, with weaker bounds

[databases.shop.limits]               # the fields of Limits, and for a server pool and wait_seconds
seconds = 5.0

`${VARIABLE}` stands for a variable of the environment; in `user:password@` it is encoded as URLs want it.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from route_sql.tools.database.guarded import policy_of
from route_sql.tools.database.open_database import POOL
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility

NOTES_BYTES = 1_000_000
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_KEYS = ("url", "schemas", "allow", "hide", "functions", "notes", "accept_weak_bounds", "limits")
_POOL_KEYS: dict[str, object] = {"pool": int, "wait_seconds": float}


@dataclass(frozen=True)
class Entry:
    """One table of the file, read and checked. The URL may hold a password, so it is not shown."""

    url: str = field(repr=False)
    schemas: tuple[str, ...] = ()
    visibility: Visibility = EVERYTHING
    functions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accept_weak_bounds: bool = False
    limits: Limits = Limits()
    pool: int = POOL
    wait_seconds: float | None = None


def read_entries(path: Path, environ: Mapping[str, str]) -> dict[str, Entry]:
    """The databases of a file, by name.

    Raises:
        DatabaseUnavailable: the file can't be read, a variable is not set, or an entry is wrong; the message names the
            file, the table and the key, and never a value.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatabaseUnavailable(f"the catalog {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatabaseUnavailable(f"the catalog {path} is not valid TOML: it is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        # The parser's message repeats only names, but its exception holds the text.
        raise DatabaseUnavailable(f"the catalog {path} is not valid TOML: {error}") from None
    entries = content.get("databases")
    if not isinstance(entries, dict) or not entries:
        raise DatabaseUnavailable(f"the catalog {path} names no database; add [databases.NAME] with a url")
    return {name: _entry(name, entry, path, environ) for name, entry in entries.items()}


def _entry(name: str, entry: Any, file: Path, environ: Mapping[str, str]) -> Entry:
    place = f"[databases.{name}] in {file}"
    if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
        raise DatabaseUnavailable(f'{place} needs a url, such as url = "sqlite:///shop.sqlite"')
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise DatabaseUnavailable(f"{place} has unknown keys: {', '.join(unknown)}; it may have {', '.join(_KEYS)}")
    weak = entry.get("accept_weak_bounds", False)
    if not isinstance(weak, bool):
        raise DatabaseUnavailable(f"{place}: accept_weak_bounds must be true or false")
    return Entry(
        url=_filled(entry["url"], name, environ),
        schemas=_names(entry, "schemas", place),
        visibility=_visibility(entry, place),
        functions=_functions(entry, name, place),
        notes=_notes(entry, file, place),
        accept_weak_bounds=weak,
        **_bounds(entry.get("limits", {}), f"[databases.{name}.limits] in {file}"),
    )


def _visibility(entry: dict[str, Any], place: str) -> Visibility:
    allow, hide = _names(entry, "allow", place), _names(entry, "hide", place)
    return Visibility(allow if "allow" in entry else None, hide)


def _filled(url: str, name: str, environ: Mapping[str, str]) -> str:
    """A URL with its variables; a user name or a password is encoded, so that an `@` in it can't end it."""

    def value(match: re.Match[str]) -> str:
        is_credential = "://" in url[: match.start()] and "@" in url[match.end() :]
        given = _variable(match[1], name, environ)
        return quote(given, safe="") if is_credential else given

    return _REFERENCE.sub(value, url)


def _variable(variable: str, name: str, environ: Mapping[str, str]) -> str:
    if variable not in environ:
        raise DatabaseUnavailable(f"the database {name!r} needs the environment variable {variable}; set it")
    return environ[variable]


def _names(entry: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise DatabaseUnavailable(f'{place}: {key} must be a list of names, such as ["customer"]')
    if key == "allow" and key in entry and not value:
        # It allows nothing, so that no question could be asked.
        raise DatabaseUnavailable(f"{place}: allow is empty; name what may be seen, or leave it out to show everything")
    return tuple(value)


def _functions(entry: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    functions = _names(entry, "functions", place)
    try:
        policy_of(name, functions)
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(f"{place}: {error}") from None
    return functions


def _notes(entry: dict[str, Any], file: Path, place: str) -> tuple[str, ...]:
    if (name := entry.get("notes")) is None:
        return ()
    if not isinstance(name, str) or not name.strip():
        raise DatabaseUnavailable(f'{place}: notes must be the name of a text file, such as "glossary.md"')
    notes = file.parent / Path(name).expanduser()
    try:
        with notes.open("rb") as opened:
            text = opened.read(NOTES_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise DatabaseUnavailable(f"{place}: the notes {notes} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatabaseUnavailable(f"{place}: the notes {notes} are not UTF-8 text") from error
    if len(text) > NOTES_BYTES:
        raise DatabaseUnavailable(f"{place}: the notes {notes} are larger than {NOTES_BYTES:,} bytes; shorten them")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _bounds(entry: Any, place: str) -> dict[str, Any]:
    known = {field.name: field.type for field in fields(Limits)} | _POOL_KEYS
    if not isinstance(entry, dict) or set(entry) - set(known):
        raise DatabaseUnavailable(f"{place} may have these keys only: {', '.join(known)}")
    for key, value in entry.items():
        kinds = (int, float) if known[key] in (float, "float") else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
            raise DatabaseUnavailable(f"{place}: {key} must be a positive {'number' if float in kinds else 'integer'}")
    of_pool = {key: value for key, value in entry.items() if key in _POOL_KEYS}
    return {"limits": Limits(**{key: value for key, value in entry.items() if key not in _POOL_KEYS}), **of_pool}
