"""`route-sql train calibrate`: a calibration of a model's confidence from questions whose right SQL is known."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from route_sql.calibration_file import read_calibration_file
from route_sql.commands.options import (
    Concurrency,
    DatabasesOption,
    LayoutOption,
    Limit,
    Model,
    Questions,
    SampleCount,
    Seed,
)
from route_sql.commands.renamed import RenamedLayout
from route_sql.graph.confidence import Calibration
from route_sql.graph.context import Context
from route_sql.models import open_model
from route_sql.printing import complain, say
from route_sql.progress import count_progress, download_progress
from route_sql.settings import Settings
from route_sql.tools.errors import InvalidInput
from route_sql.tools.files import write_whole
from route_sql.training.calibration.calibrate import Calibrated, calibrate, observe_all
from route_sql.training.calibration.figures import FEW, ReliabilityFigures
from route_sql.training.calibration.fitting import check_questions
from route_sql.training.calibration.no_answers import AskedQuestion, Situation, ask_in_situations
from route_sql.training.calibration.observing import ObservedQuestion
from route_sql.training.calibration.verdicts_on_rows import VerdictFigures
from route_sql.training.calibration.withholding import fit_no_answer, no_answer_figures, withhold_curve
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command(name="calibrate", cls=RenamedLayout)(calibrate_model)


def calibrate_model(
    questions: Questions,
    databases: DatabasesOption,
    out: Annotated[Path, typer.Option("--out", help="The calibration, JSON; the answers go to OUT.lines.jsonl.")],
    layout: LayoutOption = "log",
    held_out_of: Annotated[
        Path | None, typer.Option("--held-out-of", help="Only the questions that this set of `train data` holds out.")
    ] = None,
    model: Model = None,
    limit: Limit = None,
    seed: Seed = 0,
    unanswerable: Annotated[
        bool,
        typer.Option(
            "--unanswerable", help="Also ask each question of another database and without a column: two more calls."
        ),
    ] = False,
    samples: SampleCount = 0,
    concurrency: Concurrency = 1,
) -> None:
    """Fit a model's confidence on questions that it was not tuned on; a run that was stopped is resumed."""
    _check_place(out)
    require_libraries(("sklearn",))
    name = model or Settings().model
    data_set = DataSet(layout, questions, databases, held_out_of=held_out_of, limit=limit, seed=seed)
    with count_progress("examples") as progress:
        observed, asked = asyncio.run(_observed(name, data_set, out, progress, unanswerable, samples, concurrency))
    if faults := sum(question.gold_fault for question in observed):
        complain(f"{faults} of {len(observed)} questions are left out because their gold query fails", style="yellow")
    found = calibrate(observed, f"{name}, {len(observed) - faults} questions of {questions.name}")
    calibration = fit_no_answer(asked, found.calibration) if asked else found.calibration
    write_whole(out, json.dumps(asdict(calibration), indent=1) + "\n")
    _print(found, samples)
    if asked:
        _print_withheld(asked, calibration)
    say(str(out))


def _check_place(out: Path) -> None:
    """Refuse to write over anything but an earlier calibration: after hours of calls it is too late to ask."""
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a folder; name a file", param_hint="--out")
    if out.exists():
        try:
            read_calibration_file(out)
        except InvalidInput as error:
            raise typer.BadParameter(
                f"{out} exists and holds something else; name another file", param_hint="--out"
            ) from error


async def _observed(
    name: str,
    data_set: DataSet,
    out: Path,
    progress: Callable[[int, int], None],
    unanswerable: bool,
    samples: int,
    concurrency: int,
) -> tuple[list[ObservedQuestion], list[AskedQuestion]]:
    """Ask the model the questions, and those of situations without an answer if they are wanted."""
    with download_progress() as fetched:
        async with open_data_set(data_set) as data:
            check_questions([example.database for example in data.examples])
            async with open_model(name, Settings(), fetched, questions=concurrency) as chat:
                lines, context = out.with_name(f"{out.name}.lines.jsonl"), Context(samples=samples)
                observed = await observe_all(chat, name, data, lines, progress, context, concurrency)
                if not unanswerable:
                    return observed, []
                place = out.with_name(f"{out.name}.situations.jsonl")
                return observed, await ask_in_situations(chat, name, data, place, progress, concurrency)


def _print_withheld(asked: Sequence[AskedQuestion], calibration: Calibration) -> None:
    """Print how many questions get no SQL, and how many would with other thresholds."""
    figures = no_answer_figures(asked, calibration)
    for situation, share in figures.withheld.items():
        text = situation.replace("_", " ")
        say(f"no SQL for {100 * share:.1f} % of {figures.count[situation]} questions ({text})")
    curve, situations = withhold_curve(asked), get_args(Situation)
    say("on databases left out of the fit, percent without SQL:")
    say("  ".join(["withhold_from", *(situation.replace("_", " ") for situation in situations)]))
    for threshold, point in curve.points.items():
        shares = (f"{100 * point.withheld[situation]:{len(situation)}.1f}" for situation in situations)
        say("  ".join([f"{threshold:13.3f}", *shares]))
    if curve.auroc is not None:
        say(f"hidden columns rank above answerable questions with an AUROC of {curve.auroc:.3f}")


def _print(found: Calibrated, samples: int) -> None:
    """Print the figures."""
    say("on databases left out of the fit:")
    _print_figures("first answers", found.alone)
    _print_figures("answers with a second opinion", found.figures)
    if found.figures["n"] < FEW:
        complain(f"{found.figures['n']} answers are few: the figures are rough below {FEW}", style="yellow")
    say("on the questions of the fit:")
    say("enough  accuracy  calls  ends early")
    for point in found.curve:
        say(
            f"{point.enough:6.2f}  {100 * point.accuracy:7.1f}  {point.calls:5.2f}  {100 * point.ends_early:9.1f} %"
            f"{'  (default)' if point.enough == found.calibration.enough else ''}"
        )
    say(f"a run ends early from {found.calibration.enough:.2f} on")
    _print_verdicts(found.verdicts)
    if found.voted:
        _print_figures("answers after a vote of samples, on databases left out of the fit", found.voted)
    elif samples:
        complain(f"the calibration does not cover votes of samples: {found.not_voted}", style="yellow")


def _print_verdicts(verdicts: VerdictFigures) -> None:
    asked, right, wrong = verdicts
    if asked:
        say(f"{asked} verdicts after a query had returned rows: {right} answers became right, {wrong} wrong")
        say(f"the noise corrector {'is' if verdicts.help else 'is not'} asked once a query has returned rows")


def _print_figures(name: str, figures: ReliabilityFigures) -> None:
    ranking = "none" if figures["auroc"] is None else f"{figures['auroc']:.3f}"
    say(f"{figures['n']} {name}, {100 * figures['accuracy']:.1f} % right")
    say(f"expected calibration error {figures['calibration_error']:.3f}, AUROC {ranking}")
    say(f"right among the surest half: {100 * figures['accuracy_of_surest_half']:.1f} %")
