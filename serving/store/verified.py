"""Verification of files by SHA-256, with a note next to each file, so that it is hashed once and not at every start."""

import json
from pathlib import Path
from typing import Protocol

from route_sql.tools.files import sha256_of


class Known(Protocol):
    """Size and hash of a file, known before it is fetched."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, in hexadecimal."""


def keep_if_right(fetched: Path, path: Path, known: Known, label: str) -> list[str]:
    """Move the right bytes to their place and mark them; remove wrong ones, and return why."""
    size, sha256 = fetched.stat().st_size, sha256_of(fetched)
    if (size, sha256) == (known.size, known.sha256):
        fetched.replace(path)
        _note_of(path).write_text(json.dumps(_mark(path, known)))
        return []
    fetched.unlink()
    have, want = f"{sha256} ({size} bytes)", f"{known.sha256} ({known.size} bytes)"
    return [f"{label}: removed, since its SHA-256 is {have}, not {want}"]


def is_marked(path: Path, known: Known) -> bool:
    """Whether the file is the one that was hashed; to hash it at every start takes as long as the start."""
    return _is_noted(_note_of(path), path, known)


def is_right(path: Path, known: Known, notes: Path) -> bool:
    """Whether a file of the user's own has the right bytes; what was found is noted in the folder `notes`."""
    note = notes / f"{known.sha256[:16]}.verified.json"
    if not path.is_file() or path.stat().st_size != known.size:
        return False
    if _is_noted(note, path, known):
        return True
    if sha256_of(path) != known.sha256:
        return False
    notes.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(_mark(path, known)))
    return True


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _mark(path: Path, known: Known) -> dict[str, str | int]:
    stat = path.stat()
    return {"sha256": known.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _is_noted(note: Path, path: Path, known: Known) -> bool:
    try:
        return bool(json.loads(note.read_text()) == _mark(path, known))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
