"""The side of `child` that runs in the process: it reads requests, serves them in order, and ends with its parent."""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

ChildMessage = dict[str, Any]


class Engine(Protocol):
    """An engine that serves requests."""

    def answer(self, request: ChildMessage) -> ChildMessage:
        """Serve one request; called in a thread of its own."""

    def interrupt(self) -> None:
        """Stop what `answer` does now; called from another thread."""


class ParentPipe:
    """The line to the parent. Nothing else may write on it."""

    def __init__(self) -> None:
        """Take standard output, so that nothing else can write to it."""
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, answer: ChildMessage) -> None:
        """Write one object."""
        self._file.write(json.dumps(answer) + "\n")
        self._file.flush()

    def at(self, place: str) -> None:
        """Report the place of a long request, so that the parent knows it if the process is ended here."""
        self.send({"at": place})


def serve_requests(open_engine: Callable[[ChildMessage, ParentPipe], Engine | ChildMessage]) -> None:
    """Serve requests until stdin closes.

    Args:
        open_engine: Makes the engine from the first line, or an answer that says why it can't.
    """
    _default_signals()
    line = ParentPipe()
    engine = open_engine(json.loads(sys.stdin.readline()), line)
    if isinstance(engine, dict):
        line.send(engine)
        return
    line.send({"opened": True})
    _Loop(engine, line).run()


class _Loop:
    def __init__(self, engine: Engine, line: ParentPipe) -> None:
        self._engine = engine
        self._line = line
        self._requests: queue.SimpleQueue[ChildMessage] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current = 0

    def run(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()
        with suppress(MemoryError):
            for line in sys.stdin:
                request = json.loads(line)
                if request["do"] == "stop":
                    self._stop(request["number"])
                else:
                    self._requests.put(request)
        os._exit(0)

    def _stop(self, number: int) -> None:
        with self._lock:
            if self._current == number:  # a late stop must not hit the next request
                self._engine.interrupt()

    def _serve(self) -> None:
        try:
            while self._step(self._requests.get()):
                pass
        except MemoryError:
            pass  # the parent explains why the process has ended
        except Exception:  # any error must be visible, and no request would be answered after it
            traceback.print_exc()
        os._exit(1)

    def _step(self, request: ChildMessage) -> bool:
        end_in(request["seconds"])
        with self._lock:
            self._current = request["number"]
        answer = self._engine.answer(request)
        with self._lock:
            self._current = 0
        end_in(0)
        self._line.send(answer)
        return not answer.get("ruined")


def end_in(seconds: float) -> None:
    """Let the system end this process after this many seconds, in any state; 0 cancels that."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, min(seconds, 1e8))


def end_after_work(seconds: float) -> None:
    """Let the system end this process after this many seconds of its processor time, in any state; 0 cancels that."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, min(seconds, 1e8))


def hold_memory(memory: int) -> None:
    """Let the process take this much more memory than it has now; only Linux counts mapped memory."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/status", encoding="ascii") as status:
            used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _default_signals() -> None:
    """Ctrl-C reaches the whole group, and the parent decides what it means; an alarm must end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "setitimer"):
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGPROF})
