"""Random statements against hidden names: does a hidden value come back?

    python benchmarks/safety/fuzz.py [--engine NAME ...] [--statements 20000] [--seed 1]

Sends the statements of `tests/support/name_fuzz.py` to a database with hidden tables and columns, whose hidden values
are unique markers, on every engine that is here, and looks for a marker in each result, each error and the schema text.
Then it sends the attacks of `rights_attacks.py`, which were open once, in the same way.
Writes `fuzz.md` next to this script and exits with 1 if a marker came back.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from safety import rights_attacks
from shared.heading import heading
from support.engine_cases import DuckDB, Engine, MariaDB, Postgres, SQLite
from support.name_fuzz import HIDE, MARKERS, OWN_SCRIPT, SCRIPT, Statements, leaked
from support.server_processes import mariadb_program, mariadb_server, postgres_server

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import Visibility

ENGINES = ("sqlite", "duckdb", "postgres", "mariadb")
HEAD = (
    "| engine | statements | ran | error | refused | timed out | with a hidden value | ms each | attacks | that pass |"
)


def engines(names: list[str], stack: ExitStack) -> Iterator[Engine]:
    """The engines of those names, each in a place of its own."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    for name in names:
        if name in ("sqlite", "duckdb"):
            yield {"sqlite": SQLite, "duckdb": DuckDB}[name](folder)
        elif name == "postgres":
            yield Postgres(stack.enter_context(postgres_server()))
        elif mariadb_program() is not None:
            yield MariaDB(stack.enter_context(mariadb_server()))


async def attack(engine: Engine, count: int, seed: int) -> tuple[str, list[str]]:
    """A line of the table, and the statements that brought a hidden value back."""
    engine.fill()
    engine.run("DROP VIEW IF EXISTS rich")
    engine.run(*SCRIPT, *OWN_SCRIPT.get(engine.name, ()))
    database = VisibleDatabase(engine.open(), HIDE)
    leaks = ["the schema text"] if leaked(render(await database.schema())) else []
    statuses: Counter[str] = Counter()
    started = monotonic()
    for sql in islice(Statements(database.dialect, seed), count):
        outcome = await database.execute(sql)
        statuses[outcome["status"]] += 1
        if leaked(str(outcome)):
            leaks.append(sql)
    each = (monotonic() - started) / count * 1000
    await database.close()
    listed, passed = await known_attacks(engine)
    leaks += passed
    await engine.close()
    cells = [statuses["ok"] + statuses["empty"], *(statuses[name] for name in ("error", "refused", "timeout"))]
    figures = " | ".join(f"{cell:,}" for cell in (count, *cells, len(leaks) - len(passed)))
    return f"| {engine.name} | {figures} | {each:.1f} | {listed} | {len(passed)} |", leaks


async def known_attacks(engine: Engine) -> tuple[int, list[str]]:
    """Number of known attacks on rights, and those that pass."""
    engine.run(*rights_attacks.SCRIPT, *rights_attacks.OWN_SCRIPT.get(engine.name, ()))
    hidden = Visibility(hide=("docs.note", "far.*"), within=HIDE)
    database = VisibleDatabase(engine.open(), hidden)
    listed = rights_attacks.ATTACKS[database.dialect].strip().splitlines()
    return len(listed), await rights_attacks.breaches(database, MARKERS)


def main() -> int:
    """Run the statements and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", nargs="*", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--statements", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found: list[str] = []
    lines = [HEAD, "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"]
    head = heading("Random statements against hidden names", "sqlglot", seed=given.seed)
    with ExitStack() as stack:
        for engine in engines(given.engine, stack):
            line, leaks = asyncio.run(attack(engine, given.statements, given.seed))
            print(line, *leaks, sep="\n  ")
            lines.append(line)
            found += leaks
    Path(__file__).with_suffix(".md").write_text(f"{head}\n\n" + "\n".join(lines) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
