"""`route-sql save`: a question and its right SQL for a query log."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.options import Db
from route_sql.databases import open_catalog
from route_sql.graph.state import ANSWERED_STATUSES, Question
from route_sql.printing import complain, console, print_outcome, say
from route_sql.saved_answers import save_answer
from route_sql.settings import Settings
from route_sql.tools.database.outcome import Outcome


def save(
    question: Annotated[str, typer.Argument(help="The question, in words.")],
    sql: Annotated[str, typer.Argument(metavar="SQL", help="The SQL that answers it, in quotes.")],
    db: Db,
    to: Annotated[Path, typer.Option("--to", help="The query log, a .jsonl file; made if it does not exist.")],
    evidence: Annotated[str, typer.Option(help="Facts that a reader needs besides the schema.")] = "",
) -> None:
    """Save a question and its right SQL in a query log, if the SQL runs."""
    if not (remark := save_what_runs(question, sql, db, evidence, to)):
        raise typer.Exit(1)
    say(remark)


def save_what_runs(question: str, sql: str, db: str, evidence: str, log: Path) -> str | None:
    """Save a pair if its SQL runs, and return a remark for the person; complain and return None if it does not."""
    name, outcome = asyncio.run(_run(sql, db))
    if outcome["status"] not in ANSWERED_STATUSES:
        print_outcome(console(stderr=True), outcome)
        complain("not saved: the SQL does not run")
        return None
    is_new = save_answer(log, Question(question=question, database=name, evidence=evidence), sql)
    return f"saved in {log}" if is_new else f"{log} has this pair already"


async def _run(sql: str, db: str) -> tuple[str, Outcome]:
    async with open_catalog(db, Settings()) as (catalog, name):
        return name, await catalog.get(name).execute(sql)
