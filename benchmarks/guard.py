"""The cost of the guard and the bounds for a query on SQLite.

    python benchmarks/guard.py

Writes `guard.md` next to this script: medians in milliseconds, over queries from simple to long on a small file, each
run bare (one connection of `sqlite3`, rows fetched, nothing else), with bounds (`SQLiteDatabase` without its guard
and authorizer, but with its threads, bounds and digest), and with both layers, as everybody uses it, in turns. Every
query has a literal of its own, so that no parse is taken from a cache. `guard alone` is `check_sql` by itself. `added`
is the median, over the rounds, of what both layers took beyond the bare query of the same round; its last row is over
the rounds of all queries together, and must stay under 2 ms.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from shared.heading import heading

from route_sql import SQLiteDatabase
from route_sql.tools.guard.check import check_sql

ROUNDS = 200
QUERIES = {
    "one table": "SELECT name FROM pet WHERE weight > {0}",
    "two joins, grouped": (
        "SELECT o.city, COUNT(*) AS pets, AVG(p.weight) FROM pet AS p JOIN owner AS o ON p.owner_id = o.id "
        "LEFT JOIN visit AS v ON v.pet_id = p.id WHERE v.fee > {0} OR v.fee IS NULL GROUP BY o.city "
        "HAVING COUNT(*) > 1 ORDER BY pets DESC LIMIT 10"
    ),
    "nested, with CTE": (
        "WITH busy AS (SELECT pet_id, SUM(fee) AS total FROM visit GROUP BY pet_id HAVING SUM(fee) > {0}) "
        "SELECT p.name, b.total, CAST(100.0 * b.total / (SELECT SUM(total) FROM busy) AS INTEGER) AS share "
        "FROM pet AS p JOIN busy AS b ON b.pet_id = p.id "
        "WHERE p.id IN (SELECT pet_id FROM visit WHERE strftime('%Y', day) = '2025') "
        "AND p.owner_id NOT IN (SELECT id FROM owner WHERE city = 'Oslo') UNION SELECT name, 0, 0 FROM pet WHERE id < 3"
    ),
}
SCRIPT = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, city TEXT);
CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, weight REAL, owner_id INTEGER);
CREATE TABLE visit (id INTEGER PRIMARY KEY, pet_id INTEGER, fee REAL, day TEXT);
WITH n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 30) INSERT INTO owner SELECT x, 'city ' || (x % 7) FROM n;
WITH n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 60) INSERT INTO pet SELECT x, 'pet ' || x, x, x % 30 FROM n;
WITH n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200)
    INSERT INTO visit SELECT x, x % 60, x % 50, '2025-01-01' FROM n;
"""
Run = Callable[[str], Coroutine[Any, Any, object]]


async def measure(path: Path, query: str) -> dict[str, list[float]]:
    """Milliseconds of each way to run a query, round by round."""
    guarded, unguarded = SQLiteDatabase("a", path), SQLiteDatabase("b", path, guard=False, authorizer=False)
    connection = sqlite3.connect(path)

    async def bare(sql: str) -> object:
        return connection.execute(sql).fetchall()

    async def alone(sql: str) -> object:
        return check_sql(sql, None, "sqlite")

    ways: dict[str, Run] = {"bare": bare, "unguarded": unguarded.execute, "guarded": guarded.execute, "guard": alone}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS * len(ways)):
        name = list(ways)[turn % len(ways)]
        sql = query.format(f"0.{turn + 1}")
        began = perf_counter()
        await ways[name](sql)
        spent[name].append((perf_counter() - began) * 1000)
    connection.close()
    await guarded.close()
    await unguarded.close()
    return spent


def added(spent: dict[str, list[float]]) -> list[float]:
    """Seconds that both layers took beyond the bare query, round by round."""
    return [with_layers - bare for with_layers, bare in zip(spent["guarded"], spent["bare"], strict=True)]


def main() -> None:
    """Measure and write the table."""
    lines = [heading("What the guard and the bounds cost a query", "sqlglot", SQLite=sqlite3.sqlite_version), ""]
    lines += [f"Median milliseconds of {ROUNDS} rounds.", ""]
    lines += ["| query | bare | bounds | guard and bounds | guard alone | added |"]
    lines += ["| --- | --: | --: | --: | --: | --: |"]
    every: list[float] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pets.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SCRIPT)
        for name, query in QUERIES.items():
            spent = asyncio.run(measure(path, query))
            every += added(spent)
            cells = (*(median(spent[way]) for way in ("bare", "unguarded", "guarded", "guard")), median(added(spent)))
            lines.append(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    lines.append(f"| all three |  |  |  |  | {median(every):.2f} |")
    Path(__file__).with_name("guard.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
