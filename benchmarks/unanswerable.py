"""Questions without an answer: how many a model withholds from each probability, and how many answerable ones too.

Questions on databases that the shipped adapter was not tuned on are asked as they are, of another database, and with a
column of their gold hidden: one call each. Signals are kept in `OUT/situations.jsonl`, so a run that was stopped
resumes. The first table is of the model's own calibration, if it has one. The second is of weights fitted on the same
questions, each database judged by weights of the others, so that it compares models without a calibration.

    python benchmarks/unanswerable.py --questions DIR/train_spider.json --databases DIR/database --limit 110 --out DIR

Writes `unanswerable.md` next to this script.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from rich.progress import Progress
from shared.chosen_model import opened
from shared.heading import heading
from shared.held_out import CHOOSE, FIT
from shared.options import add_options, named

from route_sql.graph.confidence import Logistic, calibration_of, find_calibration
from route_sql.graph.state import State
from route_sql.graph.watching.doubts import LIKELY
from route_sql.training.calibration.no_answers import AskedQuestion, Situation, ask_in_situations
from route_sql.training.calibration.withholding import WithholdCurve, withhold_curve
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import sample

TABLE = Path(__file__).with_name("unanswerable.md")
LISTS = {"fit": FIT, "choose": CHOOSE}
CHOSEN = (0.6, 0.7, 0.8)
"""Probabilities that a caller may choose, `Context(withhold_from=)`."""


async def main(arguments: argparse.Namespace) -> None:
    """Ask the questions that were not asked yet, then write the table."""
    limit, arguments.limit = arguments.limit, None
    async with opened(arguments) as (everything, chat):
        calibration = await find_calibration(chat, calibration_of(chat), State())
        data = _part(everything, LISTS[arguments.list], limit, arguments.seed)
        with Progress() as progress:
            task = progress.add_task("questions", total=len(data.examples))
            asked = await ask_in_situations(
                chat,
                named(arguments),
                data,
                arguments.out / "situations.jsonl",
                lambda done, _: progress.update(task, completed=done),
                arguments.concurrency,
            )
    lines = [heading("Questions without an answer", model=named(arguments), list=arguments.list, seed=arguments.seed)]
    if calibration is not None and calibration.unanswerable is not None:
        lines += ["", *own_table(asked, calibration.unanswerable, calibration.withhold)]
    lines += ["", *fitted_table(withhold_curve(asked))]
    text = "\n".join(lines) + "\n"
    arguments.table.write_text(text, encoding="utf-8")
    print(text)


def _part(data: OpenDataSet, names: Sequence[str], limit: int | None, seed: int) -> OpenDataSet:
    """A random part of the questions on some databases."""
    examples = [each for each in data.examples if each.database in names]
    return replace(data, examples=sample(examples, limit, seed))


def own_table(asked: Sequence[AskedQuestion], logistic: Logistic, withhold: float) -> list[str]:
    """The shares of each situation from a choice of thresholds, by the model's calibration."""
    thresholds = (LIKELY, *CHOSEN, withhold)
    names = [f"from {LIKELY}: doubted or withheld", *map(str, CHOSEN), f"{withhold}: withheld by default"]
    lines = [f"| questions | n | {' | '.join(names)} |", f"| --- | --: |{' --: |' * len(names)}"]
    for situation in get_args(Situation):
        signals = [each.signals for each in asked if each.situation == situation]
        found = [logistic.probability(each) for each in signals if each]
        shares = " | ".join(_share(found, threshold) for threshold in thresholds)
        lines.append(f"| {situation.replace('_', ' ')} | {len(found)} | {shares} |")
    return lines


def fitted_table(curve: WithholdCurve) -> list[str]:
    """The shares of each situation where so many answerable questions are withheld."""
    names = [situation.replace("_", " ") for situation in get_args(Situation)]
    count = next(iter(curve.points.values())).count
    columns = [f"{name} (n={count[situation]})" for name, situation in zip(names, get_args(Situation), strict=True)]
    lines = [f"| weights of other databases: withheld from | {' | '.join(columns)} |", "| --: |" + " --: |" * 3]
    for threshold, point in curve.points.items():
        shares = " | ".join(f"{100 * point.withheld[situation]:.1f} %" for situation in get_args(Situation))
        lines.append(f"| {threshold} | {shares} |")
    return [*lines, "", f"AUROC of hidden columns against answerable questions: {curve.auroc or 0:.3f}."]


def _share(probabilities: Sequence[float], least: float) -> str:
    count = sum(probability >= least for probability in probabilities)
    return f"{100 * count / max(1, len(probabilities)):.1f} % ({count})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--table", type=Path, default=TABLE, help="Where the tables go.")
    parser.add_argument("--list", choices=tuple(LISTS), default="choose", help="The list of databases.")
    asyncio.run(main(parser.parse_args()))
