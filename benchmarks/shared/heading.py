"""The first lines of every table: title, date, machine, versions and commit."""

import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]


def heading(title: str, *packages: str, **versions: object) -> str:
    """The title and a line on when, where and with what a table was made.

    Args:
        title: The title, without its mark.
        packages: Installed packages whose versions count.
        versions: Other versions and settings, such as `SQLite="3.40.1"` or `seed=1`.
    """
    parts = [f"Python {platform.python_version()}", f"route-sql {version('route-sql')}"]
    parts += [f"{package} {version(package)}" for package in packages]
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in versions.items()]
    return f"# {title}\n\n{date.today()}, {machine()}; {', '.join(parts)}; {commit()}."


def machine() -> str:
    """The kind of machine, and how busy it is: others may use it too."""
    load = os.getloadavg()[0]
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}"


def commit() -> str:
    """The commit of the code, and whether it was changed since."""
    head = _git("rev-parse", "--short=10", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/**/*.md", ":!docs")
    return f"commit {head or 'unknown'}{' with changes' if changed else ''}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
