"""The parent's side of a process that works on a database file; `child_loop` is the other side.

A function of the engine that works in one step can't be interrupted. A process can be ended, and the system holds its
memory. Both sides speak JSON, one object on each line. The first line says what to open; each line after it is a
request with a number and has one answer, except `stop`, which has none. Lines with `at` report the place of a long
request.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from route_sql.tools.database.running.child_loop import ChildMessage
from route_sql.tools.database.running.query import Query

STOP_SECONDS = 0.25
"""Seconds that the engine has to stop a query before its process is ended."""
MARGIN = 1.0
"""Seconds after a request's deadline when its process ends by itself, if it was not ended before."""


class Child:
    """A process that serves one request at a time. Any thread may interrupt it."""

    def __init__(self, module: str, settings: ChildMessage) -> None:
        """Start a module as a process; `opened` is its answer to the settings, empty if it ended instead."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self._sending = threading.Lock()
        self._state = threading.Condition()
        self._number = 0
        self._is_busy = False
        self._stopped = 0
        self._owner = _user()
        self._has_ended = False
        try:
            self.opened = self._answer(settings, None)
        except BaseException:  # Ctrl-C too: nothing else could end this process
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it can serve another request: it runs, and this process started it, not one that forked it."""
        return not self._has_ended and self._owner == _user() and self._process.poll() is None

    def ask(
        self,
        query: Query,
        request: ChildMessage,
        *,
        seconds: float | None = None,
        at: Callable[[str], None] | None = None,
    ) -> ChildMessage:
        """The answer to a request; empty if the process ended instead.

        Args:
            query: What can be stopped by its `stop`.
            request: What to do.
            seconds: A deadline in place of the query's, whose clock then doesn't start.
            at: Called with each place that the process reports.
        """
        number = self._begin()
        if seconds is None:
            query.start(self)
        else:
            query.prepare(self)
        allowed = (query.limits.seconds if seconds is None else seconds) + MARGIN
        try:
            if query.is_stopped:
                return {"fault": "timeout"}
            return self._answer({**request, "number": number, "seconds": allowed}, at)
        finally:
            query.end()
            self._end()

    def interrupt(self) -> None:
        """Ask the process to stop its request, and end the process if it does not stop. Returns at once."""
        with self._state:
            number, is_new = self._number, self._stopped != self._number
            self._stopped = number
        if is_new:
            threading.Thread(target=self._end_if_busy, args=(number,), name="stop-child", daemon=True).start()

    def close(self) -> None:
        """End the process; never raises."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was not written can't be written now

    def _begin(self) -> int:
        with self._state:
            self._number += 1
            self._is_busy = True
            return self._number

    def _end(self) -> None:
        with self._state:
            self._is_busy = False
            self._state.notify_all()

    def _answer(self, request: ChildMessage, at: Callable[[str], None] | None) -> ChildMessage:
        self._send(request)
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()).endswith("\n"):
            answer: ChildMessage = json.loads(line)
            if "at" not in answer:
                self._has_ended = bool(answer.get("ruined"))
                return answer
            if at is not None:
                at(answer["at"])
        self._has_ended = True
        return {}

    def _send(self, request: ChildMessage) -> None:
        assert self._process.stdin is not None
        try:
            with self._sending:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
        except (OSError, ValueError):
            return  # the process has ended, which the answer will tell

    def _end_if_busy(self, number: int) -> None:
        self._send({"do": "stop", "number": number})
        with self._state:
            self._state.wait_for(lambda: not self._is_busy or self._number != number, STOP_SECONDS)
            if self._is_busy and self._number == number:
                self._process.kill()


def _user() -> tuple[int, ...]:
    """This process and its rights: after giving up rights it must not use a process that still has them."""
    return os.getpid(), *((os.geteuid(), os.getegid()) if hasattr(os, "geteuid") else ())
