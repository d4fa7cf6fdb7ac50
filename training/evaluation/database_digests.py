"""Digests of database files, so that a run is not resumed on other ones than those it was begun with."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from route_sql.tools.errors import RouteError

BLOCK = 65_536
BLOCKS = 256
"""Blocks of a file that are read at most, spread over it. SQLite counts its changes in the first one."""
Digests = dict[str, str | None]
"""By name; None for a database that is not there."""


def database_digests(get: Callable[[str], object], names: Iterable[str]) -> Digests:
    """The digests of the databases that are files; those on servers have none. `get` is the catalog's."""
    found: Digests = {}
    for name in sorted(set(names)):
        try:
            path = getattr(get(name), "path", None)
            if isinstance(path, Path) and path.is_file():
                found[name] = _digest(path)
        except (RouteError, OSError):  # the questions on it count as wrong, or the run reports it
            found[name] = None
    return found


def changed_databases(then: object, now: Mapping[str, str | None]) -> list[str]:
    """One sentence for each database that has changed; older runs have no digests, so nothing is known of them."""
    before = then if isinstance(then, dict) else {}
    return [f"the database {name} has changed" for name in now if name in before and before[name] != now[name]]


def _digest(path: Path) -> str:
    """The digest of a file's size and blocks; that of a small file has all of it."""
    size = path.stat().st_size
    total = -(-size // BLOCK)
    wanted = range(total) if total <= BLOCKS else [number * (total - 1) // (BLOCKS - 1) for number in range(BLOCKS)]
    digest = sha256(str(size).encode())
    with path.open("rb") as file:
        for number in wanted:
            file.seek(number * BLOCK)
            digest.update(file.read(BLOCK))
    return digest.hexdigest()
