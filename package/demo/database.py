"""Builds the demo database: a clinic in one SQLite file, the same bytes each time on the same SQLite.

Run `python -m route_sql.demo.database PATH` to write one.
"""

import argparse
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from route_sql.demo.clinic import ClinicRows, clinic_rows
from route_sql.demo.schema import SCHEMA
from route_sql.tools.errors import RouteError
from route_sql.tools.terminal import escaped

SEED = 2412
APPLICATION_ID = 0x524F5554
"""Mark in the file's header, by which we know our demo database from a user's file."""


def build_demo_database(path: Path) -> Path:
    """Write the demo clinic to `path`: 12 tables and a view, some 6,000 rows, 0.4 MB.

    The file appears whole or not at all. An older demo database at `path` is replaced; any other file is
    left alone.

    Args:
        path: Where the SQLite file goes; missing folders are made.

    Returns:
        `path`.

    Raises:
        RouteError: `path` is a folder, or a file that is not a demo database.
        OSError: the folder can't be written.
    """
    _check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder next to the target: the rename stays on one file system, and a failure leaves nothing behind.
    with TemporaryDirectory(prefix=".demo-", dir=path.parent) as folder:
        draft = Path(folder) / "demo.sqlite"
        _write(draft, clinic_rows(Random(SEED)))
        os.replace(draft, path)
    return path


def _check_replaceable(path: Path) -> None:
    if path.is_dir():
        raise RouteError(f"{path} is a folder; name a file for the demo database, such as {path / 'clinic.sqlite'}.")
    if not path.exists():
        return
    with path.open("rb") as file:
        header = file.read(100)
    if header[68:72] != APPLICATION_ID.to_bytes(4, "big"):
        raise RouteError(f"{path} exists and is not a demo database; name another file, or remove it first.")


def _write(path: Path, rows: ClinicRows) -> None:
    with closing(sqlite3.connect(path)) as connection:
        # Nobody reads the file before its rename, so it needs no journal. The page size is a build option.
        connection.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA page_size = 4096; PRAGMA application_id = {APPLICATION_ID};"
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(SCHEMA)
        with connection:
            for table, records in rows.items():
                marks = ", ".join("?" * len(records[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", records)


def main() -> None:
    """Write the demo database to the path given on the command line and print that path."""
    parser = argparse.ArgumentParser(description="Write the demo clinic as a SQLite file.")
    parser.add_argument("path", type=Path, help="the file to write")
    try:
        print(escaped(str(build_demo_database(parser.parse_args().path))))
    except RouteError as error:
        parser.error(escaped(str(error)))


if __name__ == "__main__":
    main()
