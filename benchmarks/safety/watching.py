"""Growth of the memory of processes while something runs (Linux)."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.02
"""Seconds between two looks."""


@contextmanager
def watched(pids: Iterable[int]) -> Iterator[dict[int, int]]:
    """Fill in by how many bytes the memory of each process, and of all below it, rose."""
    before = {pid: anonymous_bytes(pid) for pid in pids if pid}
    peaks = dict.fromkeys(before, 0)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(PAUSE):
            for pid, least in before.items():
                peaks[pid] = max(peaks[pid], anonymous_bytes(pid) - least)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def anonymous_bytes(root: int) -> int:
    """The memory of a process and all below it that is theirs alone."""
    total = 0
    for pid in family(root):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue  # it has ended
        total += next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0)
    return total


def family(root: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # it has ended
    return found
