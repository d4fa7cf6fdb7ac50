"""Files that are hostile to the program that opens them, and one attempt to open each: ours or a careless one."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from safety.hostile_makers import COMPANIONS, DAMAGED, NO_FILE, STILL_READ, Make, renamed, scripted
from safety.hostile_scripts import DUCKDB, KEEPS_NO_TABLE, SQLITE
from safety.statements import SECRET
from safety.trials import End
from safety.worker import LAYERS, LIMITS

from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.rendering import render


def cases() -> Iterator[tuple[str, str, Make, bool]]:
    """Group, name, how the file is made, and whether its table `t` must be readable."""
    for engine, groups in (("sqlite", SQLITE), ("duckdb", DUCKDB)):
        for group, scripts in groups.items():
            for name, script in scripts.items():
                yield group, name, partial(scripted, engine, script), name not in KEEPS_NO_TABLE
    for group, makers in (("damaged files", DAMAGED), ("logs next to the file", COMPANIONS), ("no file", NO_FILE)):
        for name, make in makers.items():
            yield group, name, make, name in STILL_READ
    for name, make in (*NO_FILE.items(), *((name, DAMAGED[name]) for name in ("random bytes", "sparse"))):
        yield "DuckDB: no file", name, partial(renamed, make), False


def visit(path: str, layers: str, must_read: bool) -> End:
    """Read schema and table, as `route-sql` does, or bare: in one process, as a program does that trusts the file."""
    os.chdir(Path(path).parent)
    if layers == "bare":
        return _bare(Path(path), must_read)
    return asyncio.run(_visit(Path(path), layers, must_read))


async def _visit(path: Path, layers: str, must_read: bool) -> End:
    guard, session = LAYERS[layers]
    database: Any
    if path.suffix == ".duckdb":
        from route_sql.tools.database.duckdb.database import DuckDBDatabase

        database = DuckDBDatabase("a", path, LIMITS, guard=guard, session=session)
    else:
        from route_sql.tools.database.sqlite.database import SQLiteDatabase

        database = SQLiteDatabase("a", path, LIMITS, guard=guard, authorizer=session)
    try:
        shown = render(await database.schema())
        said = " ".join(await database.warnings())
        outcome = await database.execute("SELECT a FROM t")
    except DatabaseUnavailable as error:
        return "refused", str(error).replace(str(path), "PATH")  # what the caller wrote, not the file
    finally:
        await database.close()
    if SECRET in shown or SECRET in str(outcome):
        return "leaked", shown
    if not "".join(shown.split("\n")).isprintable():
        return "wrong", f"control characters in the schema: {shown[:200]!r}"
    if must_read and outcome["rows"] != [[1]]:
        return "wrong", str(outcome)
    return "answered", said


def _bare(path: Path, must_read: bool) -> End:
    rows = _bare_duckdb(path) if path.suffix == ".duckdb" else _bare_sqlite(path)
    return ("answered", "") if not must_read or rows == [(1,)] else ("wrong", str(rows)[:200])


def _bare_sqlite(path: Path) -> list[tuple[object, ...]]:
    from sqlalchemy import create_engine, inspect, text

    with create_engine(f"sqlite:///{path}").connect() as connection:
        inspector = inspect(connection)
        for name in (*inspector.get_table_names(), *inspector.get_view_names()):
            inspector.get_columns(name)
            connection.execute(text(f"SELECT * FROM {_quoted(name)} LIMIT 3")).fetchall()
        return [tuple(row) for row in connection.execute(text("SELECT a FROM t"))]


def _bare_duckdb(path: Path) -> list[tuple[object, ...]]:
    import duckdb

    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall():
            rows = connection.execute(f"SELECT * FROM {_quoted(name)} LIMIT 3").fetchall()
            if SECRET in str(rows):
                return [("another file's content",)]
        return connection.execute("SELECT a FROM t").fetchall()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
