"""The choices of one question: the server's choices, narrowed by those of the caller."""

from typing import Any

from route_sql.access.callers import Caller
from route_sql.access.rights import context_of_caller
from route_sql.api.errors import ApiError
from route_sql.api.forms.bodies import RunOptions
from route_sql.graph.context import Context

LIMITS = ("row_limit", "deadline", "seconds", "max_corrections", "max_continuations", "max_samples", "max_tokens")
"""Choices that a caller can only lower."""


def context_for(caller: Caller, given: RunOptions, own: Context) -> Context:
    """The context of a caller's question.

    Args:
        caller: The caller, whose rights narrow the server's.
        given: The caller's choices.
        own: The server's choices.

    Raises:
        ApiError: a choice is beyond the server's limit.
        InvalidInput: a choice can't be used.
    """
    options = given.model_dump(exclude_none=True)
    for name in LIMITS:
        _require_within(name, options.get(name), getattr(own, name))
    chosen: dict[str, Any] = {**options, "approve": own.approve or options.get("approve", False)}
    if "without" in chosen:
        chosen["without"] = tuple(chosen["without"])
    return context_of_caller(caller, own, **chosen)


def _require_within(name: str, given: float | None, most: float | None) -> None:
    if given is not None and most is not None and given > most:
        raise ApiError(400, f"The field options.{name} may be {most:g} at most on this server.")
