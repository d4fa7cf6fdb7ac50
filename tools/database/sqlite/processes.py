"""The processes in which SQLite runs, shared by all databases of this program.

A program may hold hundreds of databases, so an idle process does not belong to one of them: the next query on the same
file uses it as it is; a query on another file opens that file in the process that was idle longest.
"""

import atexit
import os
import threading
from dataclasses import dataclass, field

from route_sql.tools.database.running.child import Child

MOST_IDLE = 8
"""Number of processes that are kept; with so many, another file is opened in the one that was idle longest."""
PATIENCE = 1.0
"""Seconds to wait for one of these, before one more is started that is ended after its use."""
_CHILD = "route_sql.tools.database.sqlite.child"
OpenFile = tuple[object, ...]
"""File that a process has open: its path, its identity, and how it is opened."""


class SQLiteProcess(Child):
    """A process and the file that it has open."""

    def __init__(self, memory_bytes: int) -> None:
        """Start it; see `Child.opened` for whether it did."""
        self.memory_bytes = memory_bytes
        self.place: OpenFile | None = None
        super().__init__(_CHILD, {"memory_bytes": memory_bytes})


@dataclass
class SQLiteProcesses:
    """The idle processes, the one used last at the end."""

    _idle: list[SQLiteProcess] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _taken: int = 0

    def take(self, place: OpenFile | None, memory_bytes: int) -> SQLiteProcess:
        """A process for the caller alone: one that has the place open, an idle one, or a new one.

        Args:
            place: The file that the caller wants open; None leaves the open file as it is.
            memory_bytes: Memory of the process; SQLite can't raise its heap limit again.
        """
        while (process := self._pick(place, memory_bytes)) is not None:
            if process.is_alive:
                return process
            self.end_one(process)
        try:
            return SQLiteProcess(memory_bytes)
        except BaseException:  # Ctrl-C too: the process is free again
            self._release()
            raise

    def end_one(self, process: SQLiteProcess) -> None:
        """End a process that was taken, instead of giving it back."""
        process.close()
        self._release()

    def _release(self) -> None:
        with self._lock:
            self._taken -= 1
            self._lock.notify()

    def give(self, process: SQLiteProcess) -> None:
        """Take a process back for the next query, or end it if there are enough."""
        with self._lock:
            self._idle.append(process)
            self._taken -= 1
            self._lock.notify()
            extra = self._idle.pop(0) if len(self._idle) > MOST_IDLE else None
        if extra is not None:
            extra.close()

    def let_go(self, file: object) -> list[SQLiteProcess]:
        """Take out the idle processes whose place begins with this file; the caller closes it in them."""
        with self._lock:
            found = [process for process in self._idle if process.place is not None and process.place[0] == file]
            self._idle = [process for process in self._idle if process not in found]
            self._taken += len(found)
        return found

    def end(self) -> None:
        """End all idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def forget(self) -> None:
        """Forget the processes in a forked process: they answer its parent."""
        self._lock = threading.Condition()
        self._idle = []
        self._taken = 0

    def _pick(self, place: OpenFile | None, memory_bytes: int) -> SQLiteProcess | None:
        with self._lock:
            if not self._idle and self._taken >= MOST_IDLE:
                self._lock.wait(PATIENCE)
            found = self._found(place, memory_bytes)
            if found is not None:
                self._idle.remove(found)
            self._taken += 1
            return found

    def _found(self, place: OpenFile | None, memory_bytes: int) -> SQLiteProcess | None:
        usable = [process for process in self._idle if process.memory_bytes == memory_bytes]
        same = [process for process in usable if process.place == place or place is None]
        unused = [process for process in usable if process.place is None]
        found = [*unused[:1], *same[-1:]]  # the last of these is taken
        if not found and len(self._idle) + self._taken >= MOST_IDLE:
            found = usable[:1]
        return found[-1] if found else None


PROCESSES = SQLiteProcesses()
atexit.register(PROCESSES.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESSES.forget)
