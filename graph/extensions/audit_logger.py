"""A logger as an audit log. Handlers of `logging` only report their own errors; here such an error counts."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

_FAILED: ContextVar[list[str] | None] = ContextVar("failed", default=None)
"""Handlers that could not write the present line; None where no line of ours is written."""


class LineNotWritten(Exception):
    """No handler takes the line, or one of them could not write it."""


def line_writer(logger: logging.Logger) -> Callable[[Mapping[str, Any]], None]:
    """A function that writes an entry as one line of JSON.

    Raises (when called):
        LineNotWritten: as its name says.
    """

    def write(entry: Mapping[str, Any]) -> None:
        takes = [each for each in _handlers(logger) if _takes(each)]
        if not logger.isEnabledFor(logging.INFO) or not takes:
            raise LineNotWritten(f"the logger {logger.name} drops lines of level INFO, or has no handler for them")
        for handler in takes:
            _watch(handler)
        failed: list[str] = []
        token = _FAILED.set(failed)
        try:
            logger.info("%s", json.dumps(entry))
        finally:
            _FAILED.reset(token)
        if failed:
            raise LineNotWritten(f"a handler of the logger {logger.name} failed: {', '.join(failed)}")

    return write


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """The handlers that get the logger's lines."""
    level: logging.Logger | None = logger
    while level is not None:
        yield from level.handlers
        level = level.parent if level.propagate else None


def _takes(handler: logging.Handler) -> bool:
    return handler.level <= logging.INFO and not isinstance(handler, logging.NullHandler)


def _watch(handler: logging.Handler) -> None:
    """Make a handler note its errors in `_FAILED`, and report them as before."""
    report: Any = handler.handleError
    if getattr(report, "is_watched", False):
        return

    def note(record: logging.LogRecord) -> None:
        if (failed := _FAILED.get()) is not None:
            failed.append(type(handler).__name__)
        report(record)

    vars(note)["is_watched"] = True
    vars(handler)["handleError"] = note
