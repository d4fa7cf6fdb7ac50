"""The table of `safety.py` and, below it, what got through."""

from collections.abc import Sequence
from typing import Any

COLUMNS = (
    "engine",
    "layers on",
    "attacks",
    "passed the guard",
    "ran",
    "wrote",
    "read outside",
    "bombs",
    "stopped after at most",
    "memory",
    "of the server",
    "honest",
    "refused or failed",
)
SHOWN = 60
"""Statements that are listed for one setting."""
WIDTH = 110
LATE = 3.0
"""Seconds beyond which a bomb is listed: the deadline and the margin."""


def report(rows: Sequence[Any], head: str, seconds: float, memory: int, broken: Sequence[str]) -> str:
    """The whole text; `broken` are the results with both layers on that must not occur."""
    lines = [_INTRODUCTION.format(seconds=seconds, memory=memory // 1_000_000), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " --: |" * (len(COLUMNS) - 2)]
    lines += [_line(row) for row in rows]
    lines += ["", *_promises(broken), "", _WHY, ""]
    for row in rows:
        if row.layers in ("session", "guard") and (through := _through(row)):
            lines += [f"## {row.engine}: {row.layers} alone", "", "```text", *through[:SHOWN]]
            lines += [f"... and {len(through) - SHOWN} more"] if len(through) > SHOWN else []
            lines += ["```", ""]
    return f"{head}\n\n" + "\n".join(lines).rstrip() + "\n"


def _promises(broken: Sequence[str]) -> list[str]:
    if not broken:
        return [
            "With both layers nothing is written, nothing is read outside, every bomb ends in time and every",
            "honest query runs.",
        ]
    return ["With both layers this must not occur, and did:", "", "```text", *broken, "```"]


def _line(row: Any) -> str:
    ran = [result for result in row.attacks if result.status in ("ok", "empty")]
    cells = [
        row.engine,
        row.layers,
        len(row.attacks),
        len(row.passed) if row.layers in ("guard", "both") else "",
        len(ran),
        sum(bool(result.changed) for result in row.attacks + row.heavy),
        sum(result.read for result in row.attacks + row.heavy),
        *_bounds(row),
        len(row.honest) + row.judged,
        len(row.refused),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _bounds(row: Any) -> list[object]:
    """Number of bombs, the longest time of a statement, and the most memory."""
    if not row.heavy:
        return ["", "", "", ""]
    every = row.attacks + row.heavy
    client, server = (max(getattr(r, name) for r in every) for name in ("client_bytes", "server_bytes"))
    longest = max(result.seconds for result in every)
    return [len(row.heavy), f"{longest:.1f} s", _megabytes(client), _megabytes(server)]


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count else ""


def _through(row: Any) -> list[str]:
    """Statements that one layer alone let through, and their effects."""
    found = [f"{did}: {_short(result.sql)}" for result in row.attacks if (did := _did(result))]
    slow = (result for result in row.heavy if result.seconds > LATE)
    found += [f"stopped after {result.seconds:.1f} s only: {_short(result.sql)}" for result in slow]
    return found


def _did(result: Any) -> str:
    if result.changed:
        return f"wrote {result.changed}"
    if result.read:
        return "read outside"
    return {"ok": "ran", "empty": "ran", "stuck": "hung", "timeout": "worked until the deadline"}.get(result.status, "")


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


_INTRODUCTION = """\
Statements are sent straight to each adapter, with its two layers on and off: the *guard*, which reads the text, and
the *session*, which is the engine's own protection (SQLite's authorizer; on the others a read-only session, limits
and, on DuckDB, a process of its own). `neither` and, for SQLite, `bare` (a plain connection that may write) show that
the attacks are real. Deadline {seconds:g} s, memory cap {memory} MB. *Ran*: came back with rows or without, instead of
an error. *Wrote*: a file or the database changed. *Read outside*: the content of a file next to the database, or names
that only its catalog tells, came back. *Bombs* do nothing but work; the deadline and the caps must stop them. Without
their session the servers are not sent any. *Memory* is what the process that runs the query took beyond what it had;
*of the server* likewise, but a server keeps what it once took, so that a later row may show less; PostgreSQL caps no
query's memory, and what it shows is the 1 GiB that this script holds every process to. The roles: a
superuser, the worst that can be configured, and a reader with SELECT on the tables, as `route-sql doctor` advises."""
_WHY = """\
What one layer alone lets through, statement by statement below, has few causes:

- **The session alone tells of the engine.** Catalogs (`information_schema`, `duckdb_tables()`, `pg_class`), settings
  and versions can be read on every engine but SQLite, whose authorizer sees each table: to a read-only session they
  are tables like others. SQLite's authorizer can't see arguments: a format such as `%.1000000000c` holds its `printf`
  for seconds per letter, and common tables that name each other twice fill memory while the query is compiled, both
  where no deadline looks. Only the guard refuses these two.
- **The session alone is as good as the role.** A read-only transaction stops changes to tables, not what happens
  outside of them: a superuser's `INTO OUTFILE`, `LOAD_FILE`, `pg_read_file`, advisory locks and messages. A reader
  lacks the rights, which is why the role matters.
- **The session alone waits.** `pg_sleep`, `SLEEP`, `BENCHMARK` and locks run until the deadline, not beyond it.
- **The guard alone bounds no work.** Bombs are honest SQL to it; without the session they run as long and take as much
  memory as the engine lets them.
- **The guard alone trusts the engine** to read a text as it does, and the database's owner not to have put other
  functions under allowed names. The few statements that pass here name the tables behind a full-text table (SQLite)
  or a type (DuckDB, PostgreSQL); asked with the schema, as every run does, the guard refuses them too. That no other
  got through says that we know of none."""
