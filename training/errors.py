"""Errors of data and runs that a user names; each message says what to do."""

from route_sql.tools.errors import RouteError


class DatasetError(RouteError):
    """A data set can't be used: a missing file, another layout than named, a missing database."""


class EvaluationError(RouteError):
    """A run can't be resumed or scored: other settings than at its start, predictions for other questions."""


class TrainingError(RouteError):
    """A model can't be tuned or exported as asked: wrong settings, rows that don't fit, a missing package."""
