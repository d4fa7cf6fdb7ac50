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


def report(rows: Sequence[Any], head: str, seconds: float, memory: int) -> str:
    """The whole text."""
    lines = ["# What gets through each layer", "", f"{head}, a machine that others used too.", ""]
    lines += [_INTRODUCTION.format(seconds=seconds, memory=memory // 1_000_000), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " --: |" * (len(COLUMNS) - 2)]
    lines += [_line(row) for row in rows]
    lines += ["", _WHY, ""]
    for row in rows:
        if row.layers in ("session", "guard") and (through := _through(row)):
            lines += [f"## {row.engine}: {row.layers} alone", "", "```text", *through[:SHOWN]]
            lines += [f"... and {len(through) - SHOWN} more"] if len(through) > SHOWN else []
            lines += ["```", ""]
    return "\n".join(lines)


def _line(row: Any) -> str:
    has_guard = row.layers in ("guard", "both")
    ran = [result for result in row.attacks if result.status in ("ok", "empty")]
    timed = row.heavy or row.attacks
    cells = [
        row.engine,
        row.layers,
        len(row.attacks),
        len(row.passed) if has_guard else "",
        len(ran),
        sum(bool(result.changed) for result in row.attacks + row.heavy),
        sum(result.read for result in row.attacks + row.heavy),
        len(row.heavy) or "",
        f"{max(result.seconds for result in timed):.1f} s" if row.heavy else "",
        _megabytes(max(result.client_bytes for result in timed)) if row.heavy else "",
        _megabytes(max(result.server_bytes for result in timed)) if row.heavy else "",
        len(row.honest) + row.judged,
        len(row.refused),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count else ""


def _through(row: Any) -> list[str]:
    """What one layer alone let through, with what it did."""
    found = []
    for result in row.attacks:
        did = f"wrote {result.changed}" if result.changed else "read outside" if result.read else ""
        did = did or ("ran" if result.status in ("ok", "empty") else "hung" if result.status == "stuck" else "")
        did = did or ("worked until the deadline" if result.status == "timeout" else "")
        if did:
            found.append(f"{did}: {_short(result.sql)}")
    for result in row.heavy:
        if result.status == "stuck":
            found.append(f"was not stopped: {_short(result.sql)}")
    return found


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


_INTRODUCTION = """\
Statements are sent straight to each adapter, with its two layers switched on and off: the *guard*, which reads the
text, and the *session*, which is the engine's own protection. `neither` shows that the attacks are real. Deadline
{seconds:g} s, memory cap {memory} MB. *Ran*: came back with rows or without, instead of an error. *Wrote*: a file or
the database changed. *Read outside*: a marker came back that stands in a file beside the database and in its catalog.
*Bombs* do nothing but work and pass the guard on purpose; memory is what the process (for SQLite ours, for DuckDB its
own) took beyond what it had."""
_WHY = ""
