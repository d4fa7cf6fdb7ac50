"""Exceptions for faults of the user or of route-sql; each message says what to do.

A fault of the model (SQL that fails, a reply that can't be read) is never an exception: it is data, an
`Outcome`, and the graph continues.
"""


class RouteError(RuntimeError):
    """Base of every exception that route-sql raises on purpose.

    A RuntimeError, since LangGraph's server hides the messages of exceptions that it does not know from clients.
    """


class InvalidInput(RouteError, ValueError):
    """An input of the graph can't be used: the question, the context, or the result of a caller's own tool."""


class UnknownDatabase(RouteError):
    """The catalog has no database of that name."""


class DatabaseUnavailable(RouteError):
    """A database can't be opened or read: missing, not a database, locked, unsupported engine, bad URL."""
