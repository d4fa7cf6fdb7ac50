"""Child processes of a program, as Linux lists them."""

import os
from contextlib import suppress
from pathlib import Path


def children(of: int | None = None) -> list[int]:
    """The processes that a process has started and that still run; without a number, this one's."""
    wanted = of or os.getpid()
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _parent(folder) == wanted]


def _parent(folder: Path) -> int:
    with suppress(OSError):
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        return int(parent) if state != "Z" else 0
    return 0
