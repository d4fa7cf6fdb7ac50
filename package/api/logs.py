"""The log: one line of JSON for each request, and for each warning. It holds no question, no SQL and no row."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from traceback import extract_tb
from typing import IO, Any

from route_sql.api.envelope import Served

NAME = "route_sql.api"
FRAMES = 12
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class JsonLines(logging.Formatter):
    """A record as one line of JSON. Of an exception it has the type and the places, not the text."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        more = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **more}
        if record.exc_info and record.exc_info[1] is not None:
            line |= failure_fields(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True, default=str)


def failure_fields(error: BaseException) -> dict[str, Any]:
    """The type of an exception and where it was raised; its text may hold rows, questions or paths."""
    frames = extract_tb(error.__traceback__)[-FRAMES:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"failure": type(error).__name__, "places": places}


def log_to(stream: IO[str] | None = None) -> None:
    """Write the log of the API and of the server to a stream, by default standard error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in ((NAME, logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.CRITICAL)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def logging_requests(*, with_failures: bool = False) -> Callable[[Served], None]:
    """Write a line for each request.

    Args:
        with_failures: Whether the log may hold the texts of exceptions too.
    """
    logger = logging.getLogger(NAME)

    def log(request: Served) -> None:
        fields: dict[str, Any] = {
            "request_id": request.request_id,
            "method": request.method,
            "route": request.route,
            "status": request.status,
            "seconds": round(request.seconds, 4),
            "caller": request.caller,
        }
        if request.failure is not None:
            fields |= failure_fields(request.failure)
            if with_failures:
                fields["text"] = str(request.failure)
        logger.log(logging.ERROR if request.failure is not None else logging.INFO, "request", extra=fields)

    return log
