"""An environment for each set of pinned packages, made once."""

import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

STAMP = "installed.txt"
"""The versions that were installed; it is written last."""


def interpreter(packages: Sequence[str], folder: Path) -> Path:
    """The interpreter of an environment with these packages, made if it is not there.

    Raises:
        RuntimeError: the packages can't be installed.
    """
    if not packages:
        return Path(sys.executable)
    place = folder / sha256("\n".join(packages).encode()).hexdigest()[:12]
    python = place / "bin" / "python"
    if not (place / STAMP).is_file():
        _run([sys.executable, "-m", "venv", "--clear", str(place)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        (place / STAMP).write_text(_run([str(python), "-m", "pip", "freeze"]), encoding="utf-8")
    return python


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout
