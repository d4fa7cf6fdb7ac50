"""Options of `eval` and `score` for further scores and for the gate."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import complain
from route_sql.training.datasets.data_set import Layout
from route_sql.training.evaluation.run_log import Line, read_run
from route_sql.training.evaluation.scores.further_scores import FurtherScoring

Suite = Annotated[
    Path | None,
    typer.Option(
        "--suite",
        help="Score on 20 perturbed clones of each SQLite database too; the clones are made in this folder, once.",
    ),
]
TimedRuns = Annotated[
    int | None,
    typer.Option(
        "--r-ves", min=1, help="BIRD's R-VES: how often each right query and its gold are run; BIRD runs 100."
    ),
]
Gate = Annotated[
    Path | None,
    typer.Option(
        "--gate",
        help="The lines of an earlier run over the same questions: exit code 1 if significantly fewer are right now.",
    ),
]


def further_scoring(layout: Layout, suite: Path | None, timed_runs: int | None) -> FurtherScoring:
    """Further scores that the options ask for.

    Raises:
        BadParameter: R-VES of another data set than BIRD.
    """
    if timed_runs is not None and layout != "bird":
        raise typer.BadParameter("R-VES is BIRD's figure; it needs --layout bird", param_hint="--r-ves")
    return FurtherScoring(suite, timed_runs, warn=partial(complain, style="yellow"))


def read_baseline(baseline: Path | None, out: Path | None = None) -> list[Line] | None:
    """The lines of the gate's baseline, None without a gate.

    Raises:
        BadParameter: the baseline is the file of this run.
        EvaluationError: it can't be read or is not a run's.
    """
    if baseline is None:
        return None
    if out is not None and baseline.resolve() == out.resolve():
        raise typer.BadParameter(
            "the baseline is the file of this run; keep it under another name", param_hint="--gate"
        )
    return read_run(baseline)
