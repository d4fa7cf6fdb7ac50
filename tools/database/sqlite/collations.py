"""Substitutes for collations of a SQLite file that only the program which wrote it has.

Anki's files compare by `unicase`, those of Android by `LOCALIZED` and `PHONEBOOK`. SQLite refuses each query that needs
one which the connection does not know.
"""

import re
import sqlite3

_NAMES = re.compile(r"""\bCOLLATE\s+("(?:[^"]|"")+"|'(?:[^']|'')+'|`(?:[^`]|``)+`|\[[^\]]+\]|[\w$]+)""", re.IGNORECASE)
_MOST_NAMES = 100
_MOST_STATEMENTS = 5_000
_MOST_CHARS = 10_000_000
_STATEMENTS = (
    "SELECT substr(sql, 1, 100000) FROM sqlite_master WHERE typeof(sql) = 'text' AND instr(lower(sql), 'collate') "
    f"LIMIT {_MOST_STATEMENTS}"
)


def add_stand_ins(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Register a substitute for each collation of the schema that the connection does not know.

    A substitute compares texts by their letters, ignoring case.

    Returns:
        Their names; none if the schema can't be read; the next reader reports why.
    """
    try:
        known = {str(row[1]).casefold() for row in connection.execute("PRAGMA collation_list")}
        wanted = [name for name in _named(connection) if name.casefold() not in known]
    except sqlite3.Error:
        return ()
    return tuple(name for name in wanted[:_MOST_NAMES] if _is_added(connection, name))


def note(database: str, names: tuple[str, ...]) -> str:
    """The warning about substituted collations."""
    return (
        f"The database {database} compares texts by rules that only the program which made it has "
        f"({', '.join(names)}); they were compared by their letters, whatever the case, so the order of such texts "
        "may differ, and rows may be missing where an index follows those rules."
    )


def _named(connection: sqlite3.Connection) -> list[str]:
    names: dict[str, str] = {}
    read = 0
    for (statement,) in connection.execute(_STATEMENTS):
        read += len(statement)
        if read > _MOST_CHARS:
            break
        for name in map(_unquoted, _NAMES.findall(statement)):
            names.setdefault(name.casefold(), name)
    return list(names.values())


def _unquoted(name: str) -> str:
    if name[0] == "[":
        return name[1:-1]
    return name[1:-1].replace(2 * name[0], name[0]) if name[0] in "\"'`" else name


def _is_added(connection: sqlite3.Connection, name: str) -> bool:
    try:
        connection.create_collation(name, _compare)
    except (sqlite3.Error, ValueError):
        return False  # a name that can't be given to SQLite, with a null character or half a surrogate pair
    return True


def _compare(one: str, other: str) -> int:
    left, right = one.casefold(), other.casefold()
    return (left > right) - (left < right)
