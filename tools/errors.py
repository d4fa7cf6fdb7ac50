"""The exceptions we raise when the fault is the user's or ours; each message says what to do.

A fault of the model (SQL that fails, a reply that can't be read) is never an exception: it is data, an
`Outcome`, and the graph goes on.
"""


class RouteError(Exception):
    """Base of every exception that route-sql raises on purpose."""


class UnknownDatabase(RouteError):
    """The catalog has no database of that name."""


class DatabaseUnavailable(RouteError):
    """A database can't be opened or read: missing, not a database, locked, unsupported engine, bad URL."""
