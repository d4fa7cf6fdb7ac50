"""`route-sql train two-stages`: tune in two stages on one GPU."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import say
from route_sql.training.tuning.libraries import require_libraries
from route_sql.training.two_stages.plan import load_plan


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command(name="two-stages")(two_stages)


def two_stages(
    plan: Annotated[Path, typer.Option(help="The plan of the run, YAML; or the name of one of ours: two-stages-0.5b.")],
) -> None:
    """Tune on text to SQL and linking first, then on all tasks with that model's own mistakes.

    The same call resumes a run that was stopped.
    """
    require_libraries()
    settings = load_plan(plan)
    _log_stages()
    from route_sql.training.two_stages.run import TwoStages  # needs torch, an optional library

    say(str(TwoStages(settings).run()))


def _log_stages() -> None:
    """Log to standard error, with the time: a run of many minutes is mostly read in a file."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("route_sql").setLevel(logging.INFO)
