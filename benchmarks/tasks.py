"""The worth of each training task: one run with all tasks, one without each, and one with SQL alone.

All runs see the same rows of text to SQL (the table counts them), so that a run without a task is shorter, not richer
in SQL. Each model then answers the questions by `adaptive`, asked in batches; its drafts are what `single` answers.

    python benchmarks/tasks.py --config qwen-0.5b-tasks --base BASE --questions DIR/dev.json --databases DIR/database

A run must name `epochs`. BASE is in transformers' layout and replaces the run's own. Writes `tasks.md` next to this
script, after each model; a stopped run is resumed.
"""

import argparse
import asyncio
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from shared.batched_model import Batched
from shared.heading import heading
from shared.options import add_options, data_set_of

from route_sql.graph.asking import asking
from route_sql.graph.context import Context
from route_sql.training.datasets.data_set import OpenDataSet, open_data_set
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.evaluate import evaluate_examples
from route_sql.training.evaluation.figures.agent_effects import as_if_only
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.run_log import Line, read_run
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy
from route_sql.training.tuning.batched_replies import Sampler
from route_sql.training.tuning.config import SFTRun, load_run
from route_sql.training.tuning.run_record import FINAL, RECORD
from route_sql.training.tuning.sft import fine_tune

TABLE = Path(__file__).with_name("tasks.md")
LEGEND = "`lost`: right by the model of all tasks alone; `won`: right by this one alone; `p`: exact McNemar."
SQL = "text_to_sql"


@dataclass(frozen=True)
class Ablated:
    """Result of one run: the rows it saw of each task, its model's answers, and those of its drafts alone."""

    rows: Mapping[str, int]
    answers: Sequence[Line]
    drafts: Sequence[Line]


async def main(arguments: argparse.Namespace) -> None:
    """Tune and ask one model after the other."""
    run = load_run(arguments.config, {"base": str(arguments.base), "out": str(arguments.out / "all_tasks")})
    done: dict[str, Ablated] = {}
    async with open_data_set(data_set_of(arguments)) as source:
        for name, ablated in ablations(run).items():
            done[name] = await ablate(ablated, source, arguments)
            if done[name].rows[SQL] != done["all tasks"].rows[SQL]:
                raise TrainingError(
                    f"{name}: the epoch has other rows of {SQL}; give it more weight, so that it ends it"
                )
            drawn = f"{len(source.examples)} questions of {arguments.questions.name} (seed {arguments.seed})"
            head = heading(f"Tasks: {drawn}", "torch", "transformers", "peft", base=arguments.base.name)
            arguments.table.write_text(f"{head}\n\n{table(done)}\n\n{LEGEND}\n")


def ablations(run: SFTRun) -> dict[str, SFTRun]:
    """The run, the same without each task but text to SQL, and with text to SQL alone.

    Raises:
        TrainingError: the run counts steps, so that without a task it would see more rows of the others.
    """
    if run.epochs is None or SQL not in run.tasks:
        raise TrainingError(f"name epochs, not max_steps, and {SQL} among the tasks")
    others = [task for task in run.tasks if task != SQL]
    kept = {f"without {task}": run.tasks.keys() - {task} for task in others} | {f"{SQL} alone": {SQL}}
    runs = {
        name: replace(
            run,
            tasks={task: weight for task, weight in run.tasks.items() if task in tasks},
            out=str(Path(run.out).with_name(name.replace(" ", "_"))),
        )
        for name, tasks in kept.items()
    }
    return {"all tasks": run, **runs}


async def ablate(run: SFTRun, source: OpenDataSet, arguments: argparse.Namespace) -> Ablated:
    """Tune one model and ask it."""
    folder = await asyncio.to_thread(fine_tune, run)
    gc.collect()  # a trainer holds itself, and the next model needs the memory
    chat = Batched(sampler=await asyncio.to_thread(Sampler, arguments.base, folder / FINAL))
    path = folder / "adaptive.jsonl"
    await evaluate_examples(
        asking(chat, source.catalog, Context()),
        source.examples,
        source.catalog,
        path,
        concurrency=arguments.concurrency,
        settings={"model": str(folder)},
        metric=arguments.layout,
    )
    scorer = ExecutionAccuracy(source.catalog, metric=arguments.layout)
    answers = read_run(path)
    counts = yaml.safe_load((folder / RECORD).read_text(encoding="utf-8"))["data"]
    rows = {task: count["drawn"] for task, count in counts.items()}
    return Ablated(rows, answers, await as_if_only(["draft"], answers, source.examples, scorer))


def table(done: Mapping[str, Ablated]) -> str:
    """Rows seen, execution accuracy of drafts and answers, each question by question against all tasks."""
    whole = done["all tasks"]
    head = [
        "trained on",
        *(f"rows of {task}" for task in whole.rows),
        *("drafts right, %", "lost", "won", "p"),
        *("adaptive right, %", "lost", "won", "p"),
        "calls",
    ]
    rows = [head, ["---"] + ["--:"] * (len(head) - 1)]
    for name, ablated in done.items():
        seen = [str(ablated.rows.get(task, 0)) for task in whole.rows]
        against = [*compared(whole.drafts, ablated.drafts), *compared(whole.answers, ablated.answers)]
        rows.append([name, *seen, *against, f"{summarise(ablated.answers)['calls_per_question']:.2f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def compared(whole: Sequence[Line], ablated: Sequence[Line]) -> list[str]:
    """Share of right lines without a task, in percent, and the difference; empty for a run against itself."""
    right = f"{100 * summarise(ablated)['ex']:.1f}"
    if whole is ablated:
        return [right, "", "", ""]
    split = compare_runs(whole, ablated)
    return [right, str(split["only_first"]), str(split["only_second"]), f"{split['p_value']:.2g}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="The settings of a run, as `train sft` takes them.")
    parser.add_argument("--table", type=Path, default=TABLE)
    add_options(parser)
    given = parser.parse_args()
    if given.base is None or given.model or given.adapter:
        parser.error("name the model by --base alone; its adapters are made here")
    asyncio.run(main(given))
