"""Makers of the hostile files, each in a folder with `secret.csv` only."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from random import Random

ONE_ROW = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);"
WAL_MODE = b"\x02\x02"
HUGE = 2**40

Make = Callable[[Path, ExitStack], Path]
"""Makes a file in a folder, and returns its path."""


def scripted(engine: str, script: str, folder: Path, stack: ExitStack) -> Path:
    """A file that a script fills."""
    path = folder / f"a.{engine}"
    script = script.replace("SECRET", str(folder / "secret.csv"))
    if engine == "duckdb":
        import duckdb

        with closing(duckdb.connect(str(path))) as opened:
            opened.execute(ONE_ROW + script)
        return path
    with closing(sqlite3.connect(path)) as connection:
        if "UTF-16" in script or "char(55296)" in script:
            connection.execute("PRAGMA encoding = 'UTF-16le'")
        connection.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; {ONE_ROW}{script}")
    return path


def renamed(make: Make, folder: Path, stack: ExitStack) -> Path:
    """The same file under the name of a DuckDB file."""
    path = make(folder, stack)
    other = path.with_suffix(".duckdb")
    with suppress(ValueError, OSError):  # no link has a name with a zero, or one that is too long
        other.symlink_to(path)
    return other


def _plain(folder: Path, script: str = "") -> Path:
    return scripted("sqlite", script, folder, ExitStack())


def _patched(place: int, data: bytes, folder: Path, stack: ExitStack) -> Path:
    """A file of 100 rows with some of its bytes replaced."""
    path = _plain(folder, "CREATE TABLE g (a); INSERT INTO g SELECT hex(zeroblob(3000)) FROM t;")
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)
    return path


def _sprinkled(seed: int, folder: Path, stack: ExitStack) -> Path:
    """A file of many rows with random bytes all over it, but for its header."""
    path = _plain(
        folder,
        "CREATE TABLE g (a TEXT, b INT); CREATE INDEX i ON g (a);" + "INSERT INTO g SELECT hex(a), a FROM t;" * 200,
    )
    data, random = bytearray(path.read_bytes()), Random(seed)
    for _ in range(60):
        data[random.randrange(100, len(data))] = random.randrange(256)
    path.write_bytes(data)
    return path


def _written(data: bytes, folder: Path, stack: ExitStack) -> Path:
    path = folder / "a.sqlite"
    path.write_bytes(data)
    return path


def _sparse(begin: bytes, folder: Path, stack: ExitStack) -> Path:
    path = _written(begin, folder, stack)
    with path.open("r+b") as file, suppress(OSError):
        file.truncate(HUGE)
    return path


def _cut(folder: Path, stack: ExitStack) -> Path:
    path = _plain(folder, "CREATE TABLE g (a); INSERT INTO g SELECT hex(zeroblob(30000)) FROM t;")
    return _written(path.read_bytes()[:9_000], folder, stack)


def _loop_of_overflow(folder: Path, stack: ExitStack) -> Path:
    """A cell of 900 MB whose overflow pages are one page that comes after itself."""
    path = _plain(folder, "PRAGMA page_size = 4096; CREATE TABLE g (a); INSERT INTO g SELECT zeroblob(20000) FROM t;")
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096 + 1):
        data[(page - 1) * 4096 : (page - 1) * 4096 + 4] = page.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def _with_log(suffix: str, make: Callable[[Path], object], folder: Path, stack: ExitStack, *, wal: bool) -> Path:
    """A file, in WAL mode or not, and something else at the place of its log."""
    path = _plain(folder)
    if wal:
        data = bytearray(path.read_bytes())
        data[18:20] = WAL_MODE
        path.write_bytes(data)
    make(path.with_name(path.name + suffix))
    return path


def _sparse_log(path: Path) -> None:
    path.write_bytes(bytes.fromhex("377f0682002de218") + (4096).to_bytes(4, "big") + bytes(20))
    os.truncate(path, HUGE)


def _hot_journal(path: Path) -> None:
    path.write_bytes(bytes.fromhex("d9d505f920a163d7") + (2**31 - 1).to_bytes(4, "big") * 3 + bytes(4096))


def _wal_left_over(folder: Path, stack: ExitStack) -> Path:
    """A file whose last change is in its log only, as after a program that was killed."""
    path = folder / "a.sqlite"
    connection = sqlite3.connect(path)
    stack.callback(connection.close)
    connection.executescript(f"PRAGMA journal_mode = WAL; {ONE_ROW}")
    return path


def _locked(folder: Path, stack: ExitStack) -> Path:
    path = _plain(folder)
    connection = sqlite3.connect(path, isolation_level=None)
    stack.callback(connection.close)
    connection.execute("BEGIN EXCLUSIVE")
    return path


def _fifo(folder: Path, stack: ExitStack) -> Path:
    path = folder / "a.sqlite"
    os.mkfifo(path)
    return path


def _socket(folder: Path, stack: ExitStack) -> Path:
    listening = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
    with suppress(OSError):
        listening.bind(str(folder / "a.sqlite"))
    return folder / "a.sqlite"


def _link(target: str, folder: Path, stack: ExitStack) -> Path:
    path = folder / "a.sqlite"
    path.symlink_to(target)
    return path


def _folder(folder: Path, stack: ExitStack) -> Path:
    path = folder / "a.sqlite"
    path.mkdir()
    return path


def _named(name: str, folder: Path, stack: ExitStack) -> Path:
    return folder / name


_HEADER = b"SQLite format 3\0"
DAMAGED: dict[str, Make] = {
    "empty": partial(_written, b""),
    "header alone": partial(_written, _HEADER),
    "header and zeros": partial(_written, _HEADER + bytes(100_000)),
    "random bytes": partial(_written, Random(1).randbytes(1_000_000)),
    "header and random bytes": partial(_written, _HEADER + Random(1).randbytes(1_000_000)),
    "text": partial(_written, b"id,name\n1,x\n" * 10_000),
    "another format": partial(_written, b"\x1f\x8b\x08" + bytes(1_000)),
    "sparse": partial(_sparse, b""),
    "sparse with a header": partial(_sparse, _HEADER + bytes.fromhex("1000010100402020") + bytes(76)),
    "cut": _cut,
    "page size": partial(_patched, 16, b"\x00\x07"),
    "number of pages": partial(_patched, 28, b"\xff\xff\xff\xfe"),
    "list of free pages": partial(_patched, 32, b"\x00\x00\x00\x02\xff\xff\xff\xff"),
    "schema format": partial(_patched, 44, b"\xff\xff\xff\xff"),
    "text encoding": partial(_patched, 56, b"\x00\x00\x00\x09"),
    "first page's cells": partial(_patched, 103, b"\xff\xff"),
    "first page's kind": partial(_patched, 100, b"\x05"),
    "overflow pages in a circle": _loop_of_overflow,
    **{f"random bytes all over, {seed}": partial(_sprinkled, seed) for seed in range(12)},
}
COMPANIONS: dict[str, Make] = {
    "log left over": _wal_left_over,
    "log of zeros": partial(_with_log, "-wal", lambda path: path.write_bytes(bytes(99)), wal=True),
    "log of random bytes": partial(
        _with_log, "-wal", lambda path: path.write_bytes(Random(2).randbytes(9_999)), wal=True
    ),
    "log of a terabyte": partial(_with_log, "-wal", _sparse_log, wal=True),
    "log that is a pipe": partial(_with_log, "-wal", os.mkfifo, wal=True),
    "log that is a folder": partial(_with_log, "-wal", Path.mkdir, wal=True),
    "log that is a device": partial(_with_log, "-wal", lambda path: path.symlink_to("/dev/zero"), wal=True),
    "shared memory that is a pipe": partial(_with_log, "-shm", os.mkfifo, wal=True),
    "shared memory that is a device": partial(_with_log, "-shm", lambda path: path.symlink_to("/dev/zero"), wal=True),
    "shared memory of a terabyte": partial(_with_log, "-shm", _sparse_log, wal=True),
    "shared memory of random bytes": partial(
        _with_log, "-shm", lambda path: path.write_bytes(Random(3).randbytes(32_768)), wal=True
    ),
    "hot journal": partial(_with_log, "-journal", _hot_journal, wal=False),
    "journal of random bytes": partial(
        _with_log, "-journal", lambda path: path.write_bytes(Random(4).randbytes(9_999)), wal=False
    ),
    "journal that is a pipe": partial(_with_log, "-journal", os.mkfifo, wal=False),
    "journal that is a device": partial(_with_log, "-journal", lambda path: path.symlink_to("/dev/zero"), wal=False),
    "journal that is a folder": partial(_with_log, "-journal", Path.mkdir, wal=False),
    "locked by another program": _locked,
}
STILL_READ = {"log left over", "log of zeros", "log of random bytes", "journal of random bytes"}
NO_FILE: dict[str, Make] = {
    "pipe": _fifo,
    "socket": _socket,
    "folder": _folder,
    "/dev/zero": partial(_link, "/dev/zero"),
    "/dev/random": partial(_link, "/dev/random"),
    "/dev/full": partial(_link, "/dev/full"),
    "/dev/tty": partial(_link, "/dev/tty"),
    "/dev/stdin": partial(_link, "/dev/stdin"),
    "/proc/self/mem": partial(_link, "/proc/self/mem"),
    "/proc/kmsg": partial(_link, "/proc/kmsg"),
    "a link to itself": partial(_link, "a.sqlite"),
    "a link to nothing": partial(_link, "gone"),
    "a name with a zero": partial(_named, "a\0.sqlite"),
    "a name that is a URI": partial(_named, "a.sqlite?mode=rwc&vfs=unix-none"),
    "a long name": partial(_named, "x" * 5_000),
}
