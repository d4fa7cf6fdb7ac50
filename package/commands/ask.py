"""`route-sql ask`: one question, one answer."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from route_sql.commands.options import AsJson, Db, Model, StrategyName, Without, chosen
from route_sql.databases import open_catalog
from route_sql.graph.context import Context
from route_sql.graph.grounding import askable_schema
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.models import open_model
from route_sql.printing import print_answer
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.tools.errors import RouteError


def ask(
    question: Annotated[str, typer.Argument(help="The question, in words.")],
    db: Db,
    evidence: Annotated[str, typer.Option(help="What a reader must know beside the schema.")] = "",
    model: Model = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    as_json: AsJson = False,
    sql_only: Annotated[bool, typer.Option("--sql-only", help="Print the SQL and nothing else.")] = False,
) -> None:
    """Ask a database a question."""
    if not question.strip():
        raise typer.BadParameter("the question is empty", param_hint="QUESTION")
    try:
        answer = asyncio.run(_answer(question, db, evidence, model, chosen(strategy, without)))
    except RouteError as error:
        if as_json:
            typer.echo(json.dumps(_no_answer(error), ensure_ascii=False))
        raise
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
    elif sql_only:
        typer.echo(answer["sql"] or "")
    else:
        print_answer(Console(), answer)
    if answer["status"] not in ("ok", "empty"):
        raise typer.Exit(1)


async def _answer(question: str, db: str, evidence: str, model: str | None, context: Context) -> Answer:
    settings = Settings()
    async with open_catalog(db, settings) as (catalog, name):
        # Before a model is fetched or started, the database must turn out to be one.
        await askable_schema(catalog, name)
        with download_progress() as progress:
            async with open_model(model or settings.model, settings, progress) as chat:
                graph = build_graph(chat, catalog)
                asked = Question(question=question, database=name, evidence=evidence)
                return (await graph.ainvoke(asked, context=context, version="v2")).value


def _no_answer(error: RouteError) -> Answer:
    """What `--json` prints when there is no answer: the same object, so that a reader needs one parser."""
    return Answer(
        sql=None,
        status="error",
        columns=[],
        rows=[],
        row_count=0,
        truncated=False,
        error=str(error),
        notes=[],
        candidates=[],
        ledger=[],
    )
