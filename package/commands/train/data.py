"""`route-sql train data`: from questions with gold SQL to training rows."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from route_sql.commands.data_card import print_card
from route_sql.commands.on_ray import ShardedCommand, run_on_ray
from route_sql.commands.options import DATABASES_HELP, LayoutOption, Limit, Parts, Questions, RayAddress, ShardName
from route_sql.commands.renamed import RenamedLayout
from route_sql.printing import console
from route_sql.progress import count_progress
from route_sql.tools.errors import InvalidInput
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.datasets.query_log import load_replies
from route_sql.training.datasets.shards import read_shard
from route_sql.training.errors import DatasetError
from route_sql.training.rows.building import Recipe, build_data
from route_sql.training.rows.data_card import DataCard
from route_sql.training.rows.joining import check_shard, join_sets
from route_sql.training.rows.poison import PoisonReport, check_for_poison, finds_nothing
from route_sql.training.rows.token_counts import load_counter


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command(cls=RenamedLayout)(data)


def data(
    ctx: typer.Context,
    questions: Questions,
    out: Annotated[Path, typer.Option("--out", help="The folder of the set; a stopped run is resumed.")],
    databases: Annotated[Path | None, typer.Option(help=DATABASES_HELP)] = None,
    layout: LayoutOption = "spider",
    tables: Annotated[Path | None, typer.Option(help="tables.json, for databases of which only schemas exist.")] = None,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice: the same seed gives the same bytes.")] = 0,
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="Share of databases kept for evaluation.")] = 0.1,
    max_tokens: Annotated[int, typer.Option(min=200, help="The longest row; schemas are cut to fit.")] = 4096,
    tokenizer: Annotated[Path | None, typer.Option(help="The model's folder with tokenizer.json.")] = None,
    replies: Annotated[Path | None, typer.Option(help="A model's replies, JSON Lines of index and sql.")] = None,
    further: Annotated[
        bool, typer.Option("--further", help="Add questions that the database can't answer, and follow-up questions.")
    ] = False,
    self_training: Annotated[
        bool,
        typer.Option("--self-training", help="With --replies: learn from right ones and from pairs too."),
    ] = False,
    shard: ShardName = None,
    ray: RayAddress = None,
    parts: Parts = None,
) -> None:
    """Turn questions with gold SQL into conversations of the four tasks."""
    if ray is not None or parts is not None:
        card = _on_ray(ctx.params)
        _warn(console(stderr=True), card["poison"])
        print_card(card)
        return
    if self_training and replies is None:
        raise InvalidInput("--self-training learns from a model's replies: name their file with --replies")
    part = read_shard(shard) if shard is not None else None
    data_set = DataSet(layout, questions, databases, tables, limit=limit, seed=seed, shard=part)
    named = tokenizer.name if tokenizer else "estimate"
    recipe = Recipe(seed, held_out, max_tokens, tokenizer=named, further=further, self_training=self_training)
    err = console(stderr=True)

    async def run(progress: Callable[[int, int], None]) -> DataCard:
        count = await asyncio.to_thread(load_counter, tokenizer)
        given = await asyncio.to_thread(load_replies, replies)
        async with open_data_set(data_set) as opened:
            report = await asyncio.to_thread(check_for_poison, opened.whole, opened.dialect_of)
            _warn(err, report)
            return await build_data(opened, out, recipe, count=count, replies=given, poison=report, progress=progress)

    with count_progress("examples") as progress:
        card = asyncio.run(run(progress))
    print_card(card)


def _on_ray(options: Mapping[str, Any]) -> DataCard:
    if options["ray"] is None or options["shard"] is not None:
        raise InvalidInput("--parts is for --ray, which goes without --shard")
    command = ShardedCommand(data, check_shard, join_sets, DatasetError)
    return run_on_ray(command, options["ray"], options, options["out"], options["parts"])


def _warn(err: Console, report: PoisonReport) -> None:
    if finds_nothing(report):
        return
    err.print("Signs of poisoned data; look at them before training:", style="yellow")
    for suspect in report["suspects"]:
        said = f"  question {suspect['index']} ({suspect['database']}): {', '.join(suspect['reasons'])}"
        err.print(said)
    for trigger in report["triggers"]:
        counts = f"{trigger['suspicious']} of {trigger['questions']}"
        said = f"  {trigger['text']!r}: {counts} questions with it have a {trigger['reason']}"
        err.print(said)
    for name, count in report["odd_characters"].items():
        err.print(f"  {name}: in {count} questions")
