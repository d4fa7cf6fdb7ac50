"""The price of what keeps a query safe: the session of a server, and the process of SQLite and DuckDB.

    python benchmarks/safety/costs.py [--rounds 200]

Every way to run a query takes its turn in each round, so that a busy moment hits all alike; what counts are the ratios
to the bare driver of the same run (a connection that stays open, all rows fetched). `bounds` is the adapter without
guard and session: threads, deadline, caps, digest, and for files the process. `session` adds the engine's own
protection (SQLite's authorizer; a read-only transaction that is reset on servers; locked settings on DuckDB), `both`
the guard too. `first` opens the database again in each round; for files it starts a process. Every query has a literal
of its own, so that no parse is taken from a cache. Writes `costs.md` next to this script; an engine that is not here is
left out. Left out too: how long a first query waits for another program.
"""

import argparse
import asyncio
import sqlite3
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from safety.grounds import Ground, grounds
from safety.worker import LAYERS, Order, opened
from shared.heading import heading
from sqlalchemy import make_url

WAYS = ("bare", "neither", "session", "both")
FIRSTS = 10
WITHOUT = {"duckdb": "neither"}
"""Without its session DuckDB opens the file for writing, which it lets no one else read then."""
QUERIES = {
    "one row": "SELECT name FROM emp WHERE id = {n}",
    "join, grouped": "SELECT d.id, COUNT(e.id) FROM dept d LEFT JOIN emp e ON e.dept_id = d.id "
    "WHERE d.id <> {n} + 100 GROUP BY d.id",
    "1,000 rows": "SELECT n, n * {n} AS m FROM nums WHERE n <= 1000 ORDER BY n",
}
HEAD = "| engine | query | bare | bounds | session | both |"


def ways(ground: Ground) -> list[str]:
    """The ways to run a query on an engine."""
    return [way for way in WAYS if way != WITHOUT.get(ground.dialect)]


def bare(ground: Ground) -> Any:
    """A connection of the driver alone."""
    if ground.dialect == "sqlite":
        return sqlite3.connect(ground.place)
    if ground.dialect == "duckdb":
        import duckdb

        return duckdb.connect(ground.place, read_only=True)
    url = make_url(ground.place)
    given: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    if ground.dialect == "postgres":
        import psycopg

        return psycopg.connect(**given, dbname=url.database, autocommit=True)
    import pymysql

    return pymysql.connect(**given, database=url.database, autocommit=True)


def fetched(connection: Any, sql: str) -> None:
    """Run a query by the driver alone."""
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.fetchall()
    cursor.close()


async def turns(ground: Ground, rounds: int) -> list[tuple[str, dict[str, float]]]:
    """Each query, and the median milliseconds of each way."""
    connection = bare(ground)
    databases = {way: opened(order(ground, way)) for way in ways(ground)[1:]}
    for database in databases.values():
        await database.schema()
    rows = []
    for name, query in QUERIES.items():
        spent: dict[str, list[float]] = {way: [] for way in ways(ground)}
        for number in range(rounds * len(spent)):
            way, sql = list(spent)[number % len(spent)], query.format(n=number)
            began = perf_counter()
            if way == "bare":
                fetched(connection, sql)
            else:
                await checked(databases[way], sql)
            spent[way].append((perf_counter() - began) * 1000)
        rows.append((name, {way: median(times) for way, times in spent.items()}))
    connection.close()
    for database in databases.values():
        await database.close()
    return [*rows, ("first", await firsts(ground))]


async def firsts(ground: Ground) -> dict[str, float]:
    """Median milliseconds from nothing to the first row."""
    spent: dict[str, list[float]] = {way: [] for way in ways(ground)}
    for number in range(FIRSTS):
        for way in spent:
            sql = QUERIES["one row"].format(n=number)
            began = perf_counter()
            if way == "bare":
                connection = bare(ground)
                fetched(connection, sql)
                spent[way].append((perf_counter() - began) * 1000)
                connection.close()
            else:
                database = opened(order(ground, way))
                await checked(database, sql)
                spent[way].append((perf_counter() - began) * 1000)
                await database.close()
                end_idle()
    return {way: median(times) for way, times in spent.items()}


async def checked(database: Any, sql: str) -> None:
    """Run a query, which must work."""
    outcome = await database.execute(sql)
    assert outcome["status"] in ("ok", "empty"), outcome


def end_idle() -> None:
    """End SQLite's idle processes, which otherwise serve the next database."""
    from route_sql.tools.database.sqlite.processes import PROCESSES

    PROCESSES.end()


def order(ground: Ground, way: str) -> Order:
    """The adapter with these layers."""
    return Order(ground.dialect, ground.place, str(ground.folder), *LAYERS[way])


def line(title: str, name: str, spent: dict[str, float]) -> str:
    """One line of the table."""
    least = spent["bare"]
    cells = [f"{spent[way]:.2f} ({spent[way] / least:.1f}x)" if way in spent else "" for way in WAYS[1:]]
    return f"| {title} | {name} | {least:.2f} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    lines = [heading("What safety costs a query", "duckdb", "psycopg", "pymysql", SQLite=sqlite3.sqlite_version), ""]
    lines += [
        f"Medians of {given.rounds} rounds, of {FIRSTS} for `first`, in milliseconds, and ratios to `bare`.",
        "",
        HEAD,
    ]
    lines += ["| --- | --- | --: | --: | --: | --: |"]
    with grounds(None) as found:
        for ground in (ground for ground in found if "reader" not in ground.title):
            ground.restore()
            for name, spent in asyncio.run(turns(ground, given.rounds)):
                lines.append(line(ground.title.partition(",")[0], name, spent))
                print(lines[-1], flush=True)
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
