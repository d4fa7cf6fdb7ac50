"""The command line of a run in two stages."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from route_sql.training.tuning.config import load_run
from route_sql.training.tuning.dense_base import Base
from route_sql.training.two_stages.mistakes import Passes
from route_sql.training.two_stages.plan import Plan
from route_sql.training.two_stages.run import TwoStages
from route_sql.training.two_stages.terminal import say


def main(
    config: Annotated[Path, typer.Argument(help="The settings of fine-tuning: YAML, or the name of one of ours.")],
    questions: Annotated[Path, typer.Option(help="The questions that the rows were made from.")],
    databases: Annotated[Path, typer.Option(help="Their databases.")],
    base: Annotated[str | None, typer.Option(help="Instead of the config's.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Prepared rows, instead of the config's; of further folders as they are.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Instead of the config's.")] = None,
    pieces: Annotated[Path | None, typer.Option(help="The folder with the base's pieces, if it is in pieces.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="The folder with a GGUF base's tokenizer.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="As the rows were made.")] = None,
    seconds: Annotated[float, typer.Option(help="Of the whole run.")] = Plan.seconds,
    last_seconds: Annotated[float, typer.Option(help="Of these, for what is not training in stage two.")] = (
        Plan.last_seconds
    ),
    stage_one_epochs: Annotated[float, typer.Option(help="Over the databases of a fold.")] = Plan.stage_one_epochs,
    prompts: Annotated[int | None, typer.Option(min=1, help="The most questions of a fold that are asked.")] = None,
    drawn: Annotated[int, typer.Option(min=0, help="Replies to each question beside the greedy one.")] = Passes.drawn,
    scored: Annotated[int, typer.Option(min=1, help="Held-out rows of a task to score.")] = Plan.scored,
    processes: Annotated[int | None, typer.Option(min=1, help="For building rows; all cores if not given.")] = None,
) -> None:
    """Tune in two stages; the same call goes on with a run that was stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("route_sql").setLevel(logging.INFO)
    given = {name: value for name, value in (("base", base), ("data", data), ("out", out)) if value}
    run = load_run(config, given)
    plan = Plan(
        run=run,
        base=Base(Path(run.base), pieces, tokenizer or (Path(run.tokenizer) if run.tokenizer else None)),
        questions=questions,
        databases=databases,
        limit=limit,
        seconds=seconds,
        last_seconds=last_seconds,
        stage_one_epochs=stage_one_epochs,
        passes=replace(Passes(), drawn=drawn),
        prompts=prompts,
        scored=scored,
        processes=processes or os.cpu_count() or 1,
    )
    say(str(TwoStages(plan).run()))
