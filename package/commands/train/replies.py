"""`route-sql train replies`: a model's own replies, which `route-sql train data --replies` learns from."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import say
from route_sql.progress import count_progress
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command(name="replies")(replies)


def replies(
    data: Annotated[Path, typer.Option(help="The set of train data, made without --replies.")],
    base: Annotated[Path, typer.Option(help="The base: a GGUF file, or a folder that train unpack wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The JSON Lines file; a run that was stopped is resumed.")],
    adapter: Annotated[Path | None, typer.Option(help="The folder of an adapter of this base.")] = None,
    count: Annotated[int, typer.Option("--replies", min=1, help="Replies to each question.")] = 4,
    per_database: Annotated[
        int | None, typer.Option(min=1, help="Questions of a database at most, drawn at random.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 takes the likeliest token each time.")] = 0.7,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
) -> None:
    """Draw several replies of a model to each training question, many at a time."""
    require_libraries()
    # needs torch, an optional library
    from route_sql.training.two_stages.own_replies import ReplyPlan, draw_replies

    plan = ReplyPlan(data, base, adapter, count, per_database, temperature, seed=seed)
    with count_progress("questions") as progress:
        draw_replies(plan, out, progress)
    say(str(out))
    say(f"learn from them: route-sql train data --questions F --replies {out} --self-training --out DATA")
