"""Splits large files into pieces that can be carried one by one, and joins them again with a checksum."""

from pathlib import Path

from route_sql.tools.files import sha256_of, written_whole
from route_sql.training.errors import TrainingError


def split_file(file: Path, folder: Path, size: int) -> list[Path]:
    """Write a file as pieces of at most `size` bytes, `NAME.part-00`, `NAME.part-01`, ..., and its checksum.

    Pieces of an earlier file of that name are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in _pieces(file.name, folder):
        earlier.unlink()
    pieces: list[Path] = []
    with file.open("rb") as opened:
        while data := opened.read(size):
            pieces.append(folder / f"{file.name}.part-{len(pieces):02}")
            pieces[-1].write_bytes(data)
    (folder / f"{file.name}.sha256").write_text(f"{sha256_of(file)}\n", encoding="ascii")
    return pieces


def join_file(name: str, folder: Path, out: Path) -> Path:
    """Join the pieces of the file `name`; the result is there whole and right, or not at all.

    Raises:
        TrainingError: pieces or the checksum are missing, or they don't give the file they were made from.
    """
    pieces = _pieces(name, folder)
    checksum = folder / f"{name}.sha256"
    if not pieces or not checksum.is_file():
        raise TrainingError(f"{folder} lacks pieces or the checksum of {name}; copy them there again")
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as draft:
        with draft.open("wb") as joined:
            for piece in pieces:
                joined.write(piece.read_bytes())
        if sha256_of(draft) != checksum.read_text(encoding="ascii").strip():
            raise TrainingError(f"{len(pieces)} pieces in {folder} don't give {name}: one is missing or damaged")
    return out


def _pieces(name: str, folder: Path) -> list[Path]:
    """The pieces of a file in their order. Numbers from 100 on have more digits, so the shorter name is first."""
    return sorted(folder.glob(f"{name}.part-*"), key=lambda piece: (len(piece.name), piece.name))
