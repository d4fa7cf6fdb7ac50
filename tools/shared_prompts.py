"""The database that calls of a model are about, for a client that chooses among several servers.

Prompts about one database begin alike, so the server that has answered one of them has computed that beginning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DATABASE: ContextVar[str | None] = ContextVar("route_sql_database", default=None)


@contextmanager
def about_database(name: str | None) -> Iterator[None]:
    """Mark the calls in the block as being about a database; None for no database in particular."""
    token = _DATABASE.set(name)
    try:
        yield
    finally:
        _DATABASE.reset(token)


def asked_database() -> str | None:
    """The database that the present call is about; None if it was not marked."""
    return _DATABASE.get()
