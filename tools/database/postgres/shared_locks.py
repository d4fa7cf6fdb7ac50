"""State that outlives a transaction on a connection shared by a pooler: advisory locks and the seed.

The guard lets no query take such a lock. Without the guard, a lock that a query took is released before the
transaction ends, while the connection is still ours; locks of other clients of the pooler stay.
"""

from collections.abc import Sequence

from route_sql.tools.database.postgres.connection import Connection

Locks = frozenset[tuple[int, int, int, bool]]
"""Advisory locks: the two halves of the key, how the key was given (1 as one number, 2 as two), and whether shared."""

_BEFORE = "route_sql_query"
"""The savepoint before the query: a failed one leaves the transaction in a state in which nothing else can be asked."""
_END_MILLISECONDS = 5_000
_AT_ONCE = 1_000
_LOCKS = (
    "SELECT classid::bigint, objid::bigint, objsubid::integer, mode = 'ShareLock' FROM pg_catalog.pg_locks "
    "WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid()"
)


def begin_shared(connection: Connection) -> Locks:
    """Mark the state before a query, in a transaction that has begun; return the locks that are held already."""
    return _last_rows(connection, f"SAVEPOINT {_BEFORE}; {_LOCKS}")


def end_shared(connection: Connection, held: Locks, new_seed: str) -> None:
    """Undo what a query did, release the locks that it took, and replace the seed that it may have set.

    Args:
        connection: In the transaction of the query, which may have failed.
        held: From `begin_shared`. A lock among these stays even if the query took it again: it may be another client's.
        new_seed: Statement that sets a secret seed.

    Raises:
        psycopg.Error: it can't be done; the connection must be closed.
    """
    time = f"SET LOCAL statement_timeout = {_END_MILLISECONDS}"
    taken = _last_rows(connection, f"ROLLBACK TO SAVEPOINT {_BEFORE}; {time}; {new_seed}; {_LOCKS}") - held
    if taken and not held:
        connection.execute(b"SELECT pg_catalog.pg_advisory_unlock_all()")
        return
    for lock in taken:
        _give_back(connection, lock)


def _give_back(connection: Connection, lock: tuple[int, int, int, bool]) -> None:
    """Release one lock as often as it was taken, except a lock that ends with the transaction."""
    high, low, parts, is_shared = lock
    keys: Sequence[int] = [_signed(high << 32 | low, 64)] if parts == 1 else [_signed(high, 32), _signed(low, 32)]
    call = f"pg_catalog.pg_advisory_unlock{'_shared' if is_shared else ''}({', '.join(map(str, keys))})"
    statement = f"SELECT pg_catalog.bool_and({call}) FROM pg_catalog.generate_series(1, {_AT_ONCE})".encode()
    while (row := connection.execute(statement).fetchone()) and row[0]:
        pass


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


def _last_rows(connection: Connection, statements: str) -> Locks:
    """The rows of the last of several statements."""
    cursor = connection.execute(statements.encode())
    while cursor.nextset():
        pass
    return frozenset((row[0], row[1], row[2], row[3]) for row in cursor.fetchall())
