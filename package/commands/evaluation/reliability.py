"""`route-sql reliability`: how far the confidences of a run can be trusted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.options import AsJson
from route_sql.graph.state import ANSWERED_STATUSES
from route_sql.printing import complain, say, say_json
from route_sql.training.calibration.diagram import draw_reliability
from route_sql.training.calibration.figures import FEW, Judged, ReliabilityFigures, auroc, reliability
from route_sql.training.evaluation.run_log import Line, read_run
from route_sql.training.tuning.libraries import require_libraries


def show_reliability(
    run: Annotated[Path, typer.Argument(metavar="LINES", help="The lines that `eval` wrote.")],
    picture: Annotated[
        Path | None, typer.Option(help="Write the reliability diagram and the risk-coverage curve: svg, png or pdf.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the confidences of a run with the share of right answers."""
    lines = read_run(run)
    judged = [line for line in lines if "confidence" in line and not line["gold_fault"]]
    answers, answered = _judged(judged), _judged([line for line in judged if line["status"] in ANSWERED_STATUSES])
    found = reliability(answers)
    for warning in _warnings(lines, judged):
        complain(warning, style="yellow")
    if as_json:
        without = {"unanswered": len(answers) - len(answered), "auroc_of_answered": auroc(answered)}
        say_json({**found, **without})
    else:
        say(_text(found, answered))
    # Last, so that a picture that can't be drawn costs no figures.
    if picture is not None:
        require_libraries(("matplotlib",), "the picture", "'matplotlib>=3.10'")
        draw_reliability(answers, run.stem, picture)


def _judged(lines: Sequence[Line]) -> list[Judged]:
    return [Judged(line["confidence"], line["correct"]) for line in lines]


def _warnings(lines: Sequence[Line], judged: Sequence[Line]) -> list[str]:
    """Reasons to read the figures with care."""
    said = []
    if left_out := len(lines) - len(judged):
        said.append(f"{left_out} of {len(lines)} lines are left out: no confidence, or a gold query that fails")
    # An answer without SQL has confidence 0 with every model.
    if not all(line.get("calibrated") for line in judged if line["sql"]):
        said.append(
            "some confidences are not calibrated: only their order means something, so read AUROC and the surest half, "
            "not the calibration error. `route-sql train calibrate` makes a calibration"
        )
    if len(judged) < FEW:
        said.append(f"{len(judged)} answers are few: the figures are rough below {FEW}, and better with 300")
    return said


def _text(found: ReliabilityFigures, answered: Sequence[Judged]) -> str:
    rows = [f"{each['confidence']:10.2f}  {each['accuracy']:11.2f}  {each['n']:4}" for each in found["bins"]]
    return "\n".join(
        [
            f"{found['n']} answers, {100 * found['accuracy']:.1f} % right",
            *_unanswered(found["n"] - len(answered)),
            f"expected calibration error {found['calibration_error']:.3f}, Brier score {found['brier']:.3f}",
            f"AUROC {_ranking(found['auroc'])}{_without(found, answered)}",
            f"right among the surest half: {100 * found['accuracy_of_surest_half']:.1f} %",
            "",
            "confidence  share right     n",
            *rows,
        ]
    )


def _unanswered(count: int) -> list[str]:
    were = "was" if count == 1 else "were"
    text = f"{count} of them {were} withheld or failed: wrong with confidence 0, which raises AUROC"
    return [text] if count else []


def _without(found: ReliabilityFigures, answered: Sequence[Judged]) -> str:
    return f", {_ranking(auroc(answered))} over the {len(answered)} others" if len(answered) < found["n"] else ""


def _ranking(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
