"""Patterns for tables and columns: parsing and matching."""

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from route_sql.tools.errors import InvalidInput, UnknownDatabase

NameParts = tuple[str, ...]
"""Case-folded parts of a name: (table,), (schema, table), (table, column) or (schema, table, column)."""

_WILD = re.compile(r"[*?]")
_PART = re.compile(r"""(?:^|\.)(\s*"(?:[^"]|"")*"\s*(?=\.|$)|\s*`(?:[^`]|``)*`\s*(?=\.|$)|[^.]*)""")
_PLACED = re.compile(r"""((?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|[^:])*+):(.*)""", re.DOTALL)
"""Parts before and after the first colon outside quotes."""


def checked_patterns(key: str, patterns: object) -> tuple[str, ...]:
    """Check a list of patterns and strip the blanks around them.

    Raises:
        InvalidInput: `patterns` is not a list of texts, or one of them is blank.
    """
    given = list(patterns) if isinstance(patterns, list | tuple) else [None]
    names = tuple(name.strip() for name in given if isinstance(name, str))
    if len(names) != len(given) or not all(names):
        raise InvalidInput(f"{key} must be a list of names, such as ['customer.email'], not {patterns!r}")
    return names


def placed_pattern(pattern: str, names: Collection[str]) -> tuple[str | None, str]:
    """Split a pattern into its database, None for any, and the rest.

    Raises:
        UnknownDatabase: the catalog has no such database.
    """
    if known := [name for name in names if pattern.startswith(f"{name}:")]:
        database = max(known, key=len)
        return database, pattern[len(database) + 1 :].strip()
    if (parts := _PLACED.fullmatch(pattern)) is None:
        return None, pattern
    database = parts[1].strip()
    if database not in names:
        raise UnknownDatabase(
            f"{pattern!r} in allow or hide is for the database {database!r}, which the catalog doesn't have (it has "
            f"{', '.join(sorted(names))}); write a name that has a colon in quotes"
        )
    return database, parts[2].strip()


def has_wildcard(pattern: str) -> bool:
    """Whether a pattern has `*` or `?`, so that it may match nothing yet."""
    return _WILD.search(pattern) is not None


def any_matches(patterns: tuple[str, ...], names: Sequence[NameParts]) -> bool:
    """Whether one of the patterns matches one of the names."""
    return any(_matches(pattern.casefold(), parts) for pattern in patterns for parts in names)


def _matches(pattern: str, parts: NameParts) -> bool:
    if pattern == ".".join(parts):
        return True
    wanted = _parts_of(pattern)
    if len(wanted) == len(parts):
        return wanted == parts or all(map(fnmatchcase, parts, wanted))
    # Without quotes, a name with a dot looks like two names.
    return len(wanted) > len(parts) and ".".join(wanted) == ".".join(parts)


@lru_cache(maxsize=1_024)
def _parts_of(pattern: str) -> NameParts:
    return tuple(_unquoted(part.strip()) for part in _PART.findall(pattern))


def _unquoted(part: str) -> str:
    quote = part[:1]
    is_quoted = len(part) > 1 and quote in ('"', "`") and part.endswith(quote)
    return part[1:-1].replace(2 * quote, quote) if is_quoted else part
