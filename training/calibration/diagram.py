"""Reliability diagram and risk-coverage curve of a run, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from route_sql.training.calibration.figures import Judged, reliability, risk_coverage
from route_sql.training.errors import EvaluationError


def draw_reliability(answers: Sequence[Judged], title: str, out: Path) -> None:
    """Write both curves into one picture; the suffix of `out` (svg, png, pdf) chooses its kind.

    Raises:
        EvaluationError: there is no answer, or the picture can't be written.
    """
    # Imported here because matplotlib takes a second and only this command draws.
    from matplotlib.figure import Figure

    found = reliability(answers)
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    left.plot([each["confidence"] for each in found["bins"]], [each["accuracy"] for each in found["bins"]], marker="o")
    left.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1), title=title)
    shares, accuracies = zip(*risk_coverage(answers), strict=True)
    right.plot(shares, accuracies, marker=".")
    right.set(xlabel="share of questions answered, surest first", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    try:
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
    except (OSError, ValueError) as error:  # matplotlib knows no such suffix
        raise EvaluationError(f"the picture {out} can't be written: {error}") from error
