"""Runs that can be stopped and resumed: one writer, the same settings, no step left half done.

A resumable run keeps its settings in a record next to its results. Each step is written whole (`tools/files.py`), and
a cancelled run finishes the step that it is writing.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from route_sql.tools.errors import RouteError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class OneWriter:
    """A lock that lets one process at a time write a run's file or folder."""

    def __init__(self, run: Path, kind: Literal["file", "folder"], error: type[RouteError]) -> None:
        """Lock `RUN.lock` for a file, `RUN/.lock` for a folder; failures are raised as `error`."""
        self._run = run
        self._kind = kind
        self._error = error
        self._place = run / ".lock" if kind == "folder" else run.with_name(f"{run.name}.lock")
        # Taken in one thread and released in another.
        self._lock = FileLock(str(self._place), thread_local=False)

    def acquire(self) -> None:
        """Take the lock without waiting; the folder is made if it is missing.

        Raises:
            RouteError: another process has the lock, or the folder can't be written.
        """
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise self._error(
                f"another process is writing {self._run}; wait for it or name another {self._kind}"
            ) from None
        except OSError as error:
            raise self._error(f"{self._run} can't be written: {error}; name another {self._kind}") from error

    def release(self) -> None:
        """Let other processes write; nothing happens if the lock was not taken."""
        self._lock.release()

    def __enter__(self) -> "OneWriter":
        """Take the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release()


def different_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Each setting that differs, as `seed was 0, is 1`; tuples and lists with the same items are equal."""
    before, after = (json.loads(json.dumps(settings, default=str)) for settings in (then, now))
    return [
        f"{name} was {json.dumps(before.get(name))}, is {json.dumps(after.get(name))}"
        for name in sorted({**before, **after})
        if before.get(name) != after.get(name)
    ]


def check_same_settings(run: Path, differences: Sequence[str], advice: str, error: type[RouteError]) -> None:
    """Refuse to resume a run with other settings.

    Args:
        run: The file or folder of the run.
        differences: The settings that differ, by `different_settings`.
        advice: The remedy if the settings are meant to differ.
        error: The exception to raise.

    Raises:
        RouteError: there are differences.
    """
    if differences:
        raise error(
            f"{run} was begun with other settings: {'; '.join(differences)}. Take the same settings, or {advice}"
        )


async def to_the_end(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run blocking work in a thread; a cancelled caller waits until it is done, so nothing is left half written."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # The cancelled caller does not need an error of the work.
        await asyncio.gather(running, return_exceptions=True)
        raise
