"""The old command line of a run in two stages; `route-sql train two-stages` replaces it."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from route_sql.training.tuning.config import checked, read_config
from route_sql.training.two_stages.plan import PLAN, Plan
from route_sql.training.two_stages.run import TwoStages
from route_sql.training.two_stages.terminal import print_line

DEPRECATED = (
    "warning: python -m route_sql.training.two_stages is deprecated and will be removed in the next version; "
    "write these options into a plan and call: route-sql train two-stages --plan FILE"
)


def main(
    config: Annotated[Path, typer.Argument(help="The settings of fine-tuning: YAML, or the name of one of ours.")],
    questions: Annotated[Path, typer.Option(help="The questions that the rows were made from.")],
    databases: Annotated[Path, typer.Option(help="Their databases.")],
    base: Annotated[str | None, typer.Option(help="Replaces the config's.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Prepared rows, in place of the config's; further folders are only added.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Replaces the config's.")] = None,
    pieces: Annotated[Path | None, typer.Option(help="The folder with the base's pieces, if it is in pieces.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="The folder with a GGUF base's tokenizer.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The --limit that the rows were made with.")] = None,
    seconds: Annotated[float, typer.Option(help="Time of the whole run.")] = Plan.seconds,
    last_seconds: Annotated[float, typer.Option(help="The part of it for stage two's loading and the scores.")] = (
        Plan.last_seconds
    ),
    stage_one_epochs: Annotated[float, typer.Option(help="Over the databases of a fold.")] = Plan.stage_one_epochs,
    prompts: Annotated[int | None, typer.Option(min=1, help="The most questions of a fold that are asked.")] = None,
    drawn: Annotated[int, typer.Option(min=0, help="Sampled replies to each question.")] = Plan.drawn,
    scored: Annotated[int, typer.Option(min=1, help="Held-out rows of a task to score.")] = Plan.scored,
    processes: Annotated[int | None, typer.Option(min=1, help="For building rows; all cores if not given.")] = None,
) -> None:
    """Tune in two stages; the same call resumes a run that was stopped."""
    typer.echo(DEPRECATED, err=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("route_sql").setLevel(logging.INFO)
    settings = read_config(config)
    given = {"base": base, "data": data, "out": out, "tokenizer": tokenizer}
    sft = {**settings.get("sft", settings), **{name: value for name, value in given.items() if value}}
    plan = {
        "sft": sft,
        "questions": questions,
        "databases": databases,
        "limit": limit,
        "pieces": pieces,
        "seconds": seconds,
        "last_seconds": last_seconds,
        "stage_one_epochs": stage_one_epochs,
        "prompts": prompts,
        "drawn": drawn,
        "scored": scored,
        "processes": processes,
    }
    print_line(str(TwoStages(checked(PLAN, plan, str(config))).run()))
