"""Files and folders that are written whole or not at all, however the process ends; the hash of a file."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def draft_of(path: Path) -> Path:
    """The place next to `path` where its content is written first."""
    return path.with_name(f"{path.name}.part")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a free place for a draft, a file or a folder, and move the draft to `path` when the block ends well.

    After an exception `path` is as it was. The draft then stays where it is, and the next attempt removes it.
    """
    draft = draft_of(path)
    if draft.is_dir():
        shutil.rmtree(draft)
    draft.unlink(missing_ok=True)
    yield draft
    put_in_place(draft, path)


def put_in_place(draft: Path, path: Path) -> None:
    """Move a finished draft to `path`: a file replaces a file, a folder replaces a folder.

    Raises:
        OSError: a folder is in the place of a file, or a file in that of a folder.
    """
    if draft.is_dir() and path.is_dir():
        shutil.rmtree(path)
    draft.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; half a second or more a gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
