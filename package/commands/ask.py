"""`route-sql ask`: one question, one answer."""

import asyncio
from typing import Annotated

import typer

from route_sql.commands.options import (
    AsJson,
    Db,
    MaxTokens,
    Model,
    RowsAs,
    StrategyName,
    Without,
    check_one_form,
    chosen,
)
from route_sql.commands.rating import SaveTo, rate
from route_sql.databases import open_catalog
from route_sql.graph.asking import no_answer
from route_sql.graph.context import Context
from route_sql.graph.grounding import askable_schema
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.models import open_model
from route_sql.printing import console, print_answer, print_rows, say, say_json
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.tools.errors import RouteError


def ask(
    question: Annotated[str, typer.Argument(help="The question, in words.")],
    db: Db,
    evidence: Annotated[str, typer.Option(help="Facts that a reader needs besides the schema.")] = "",
    model: Model = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    as_json: AsJson = False,
    sql_only: Annotated[bool, typer.Option("--sql-only", help="Print the SQL and nothing else.")] = False,
    rows_as: RowsAs = None,
    save_to: SaveTo = None,
) -> None:
    """Ask a database a question."""
    check_one_form(json=as_json, sql_only=sql_only, format=rows_as)
    if not question.strip():
        raise typer.BadParameter("the question is empty", param_hint="QUESTION")
    try:
        answer = asyncio.run(_answer(question, db, evidence, model, chosen(strategy, without, max_tokens)))
    except RouteError as error:
        if as_json:
            say_json(no_answer(str(error)))
        raise
    if as_json:
        say_json(answer)
    elif sql_only:
        say(answer["sql"] or "")
    elif rows_as:
        print_rows(console(), answer, rows_as)
    else:
        print_answer(console(), answer)
    if save_to:
        rate(question, answer, db, evidence, save_to)
    if answer["status"] not in ("ok", "empty", "unsure"):
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
