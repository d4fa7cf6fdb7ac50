"""Checks of a state before it is read: a person, a program or the caller's node may have written anything."""

from collections.abc import Sequence
from functools import cache
from typing import cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from route_sql.graph.fields.channels import BEGIN
from route_sql.graph.threads.beginning import OF_ONE_QUESTION
from route_sql.graph.threads.state_versions import StoredState
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import clean

SHOWN_CHARS = 80
NEEDED = {"question": "the question, in words", "database": "its name in the catalog"}
"""Keys without a default, and their values."""
CHECKED_LATER = ("version", "choices")
"""Keys that are checked where they are read, by `upgrade` and `kept_choices`."""
LARGE = "rows"
"""The key with large values. Its cells are not checked, which would take longer than all other checks."""


def checked_state(stored: StoredState) -> StoredState:
    """The state with each value in its form; a key that is null gets its default, like a missing one.

    Raises:
        InvalidInput: a key has a value of another form, or the question or its database is missing.
    """
    given = {key: value for key, value in stored.items() if value is not None or key == "version"}
    for key, wanted in NEEDED.items():
        if key not in given:
            raise InvalidInput(f"the state has no {key}: write {wanted}, as {key}, or ask the question again")
    try:
        small = {key: value for key, value in given.items() if key not in CHECKED_LATER and key != LARGE}
        _forms().validate_python(small, strict=True)
    except ValidationError as error:
        raise InvalidInput(_sentence(error.errors(include_url=False)[0])) from error
    rows: object = given.get(LARGE, [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InvalidInput(f"rows in the state must be a list of lists. Write them so, {_remedy(LARGE)}")
    return cast(StoredState, given)


@cache
def _forms() -> TypeAdapter[StoredState]:
    """The forms of all keys; made on first use, since that takes a while."""
    return TypeAdapter(StoredState)


def _sentence(error: ErrorDetails) -> str:
    """The place, the reason and the remedy. A value may be long, or hold rows."""
    key, *inner = error["loc"]
    is_missing = error["type"] == "missing"
    reason = "is missing" if is_missing else f"can't be {clean(repr(error['input']), SHOWN_CHARS)}: {error['msg']}"
    return f"{_place(key, inner)} in the state {reason}. Write it in its form, {_remedy(key)}"


def _remedy(key: int | str) -> str:
    """The other remedy: a value that removes the key."""
    if key in NEEDED:
        return "or ask the question again"
    return f"or write {key} as {BEGIN}, which removes it" if key in OF_ONE_QUESTION else f"or write {key} as null"


def _place(key: int | str, inner: Sequence[int | str]) -> str:
    """A place in the state, such as `attempts[0].outcome`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in inner)
    return "".join([str(key), *steps])
