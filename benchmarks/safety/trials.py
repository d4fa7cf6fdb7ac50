"""One attempt in a process of its own: how long it took, how much memory, and how it ended."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

from safety.watching import family, watched

MARGIN = 3.0
"""Seconds that a busy machine may add."""
MOST_WORDS = 2_000
"""Characters of an error that is one clear sentence."""
GIBIBYTE = 2**30
CONTEXT = multiprocessing.get_context("forkserver")

End = tuple[str, str]
"""`answered` or `refused`, and what was said; any other word is a fault of ours."""
Work = Callable[..., End]


@dataclass(frozen=True)
class Trial:
    """End of one attempt."""

    group: str
    name: str
    setting: str
    end: str
    """`answered`, `refused`, `raised` (an exception that is none of ours), `wrong` (an answer that is not right),
    `leaked`, `stuck` or `died`."""
    said: str
    seconds: float
    memory: int

    def fault(self, most_seconds: float, most_memory: int) -> str:
        """Reason why it did not hold; empty if it did."""
        if self.end not in ("answered", "refused"):
            return self.end
        if self.end == "refused" and not is_clear(self.said):
            return "not one clear sentence"
        if self.seconds > most_seconds:
            return f"took {self.seconds:.1f} s"
        return f"took {self.memory / 1e6:.0f} MB" if self.memory > most_memory else ""


def is_clear(said: str) -> bool:
    """Whether an error is one line of printable characters that a person reads."""
    return 0 < len(said) < MOST_WORDS and said.isprintable()


def tried(group: str, name: str, setting: str, work: Work, given: Sequence[Any], patience: float) -> Trial:
    """The trial of `work(*given)`; what has not ended after `patience` seconds is killed, with all it started."""
    pipe, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_report, args=(theirs, work, given))
    process.start()
    theirs.close()
    pid = process.pid or 0
    end: End = ("died", "the process did not start")
    seconds, peaks = 0.0, {pid: 0}
    if pipe.poll(60) and _received(pipe) == ("ready", ""):
        with watched([pid]) as peaks:
            began = monotonic()
            pipe.send("begin")
            end = _received(pipe) if pipe.poll(patience) else ("stuck", "it had to be killed")
            seconds = monotonic() - began
    _kill(pid)
    process.join()
    return Trial(group, name, setting, *end, seconds, peaks[pid])


def _received(pipe: Connection) -> End:
    try:
        end: End = pipe.recv()
    except (EOFError, OSError):  # the pipe is reset if it ended without reading
        return "died", "the process died"
    return end


def _report(pipe: Connection, work: Work, given: Sequence[Any]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (GIBIBYTE, hard))  # of each process that this one starts, too
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(("ready", ""))
    pipe.recv()
    try:
        end = work(*given)
    except BaseException as error:  # a traceback is what the benchmark looks for, MemoryError included
        end = "raised", f"{type(error).__name__}: {str(error)[:300]}"
    pipe.send(end)
    pipe.recv()  # until it is killed, so that its memory was seen


def _kill(root: int) -> None:
    for pid in family(root):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
