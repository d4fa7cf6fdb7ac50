"""Plots the losses of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

LossLines = Sequence[Mapping[str, float | None]]


def plot_losses(lines: LossLines, file: Path, title: str) -> None:
    """Draw the training loss and each task's held-out loss over the steps, as a PNG.

    Args:
        lines: The losses, from `loss_log.read_losses`.
        file: The picture.
        title: The title above it.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name in [name for name in (lines[0] if lines else {}) if name.endswith("loss")]:
        points = [(line["step"], value) for line in lines if (value := line[name]) is not None]
        if points:
            label, width, mark = _look(name)
            axes.plot(*zip(*points, strict=True), label=label, linewidth=width, marker=mark, markersize=4)
    axes.set(xlabel="step", ylabel="loss of a token", title=title)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    FigureCanvasAgg(figure).print_png(file)


def _look(name: str) -> tuple[str, float, str]:
    if name == "loss":
        return "training", 1.0, ""
    return f"held out: {name.removeprefix('eval_').removesuffix('_loss').replace('_', ' ')}", 1.6, "o"
