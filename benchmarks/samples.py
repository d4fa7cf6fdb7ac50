"""Samples of questions in doubt: execution accuracy, calls, tokens and seconds with none, four and eight of them.

Replies are kept in `OUT/replies.jsonl`: the numbers of samples share all other replies, a run that was stopped is
resumed, and `--replay` makes the table again from the file alone, without a model.

    python benchmarks/samples.py --questions DIR/dev.json --databases DIR/database --limit 200 --out DIR

Writes `samples.md` next to this script.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from langchain_core.language_models import BaseChatModel
from rich.progress import Progress
from shared.chosen_model import chosen_model
from shared.heading import heading
from shared.kept_replies import spared_seconds, with_kept_replies
from shared.options import add_options, data_set_of, named

from route_sql.graph.asking import Ask, asking
from route_sql.graph.context import Context
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.data_set import open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.evaluate import ask_and_score
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.report import comparison_sentence, markdown_table
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.run_log import Line, RunLog, open_run
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

TABLE = Path(__file__).with_name("samples.md")
SECONDS = 600.0
"""Seconds that samples may take here, so that none is lost on a busy machine."""

Lines = Mapping[int, Sequence[Line]]
"""The lines of each run, by the number of samples."""


async def main(arguments: argparse.Namespace) -> None:
    """Run the missing parts, one number of samples after the other, then write the table."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(open_data_set(data_set_of(arguments)))
        inner = await stack.enter_async_context(model_or_none(arguments))
        chat = await with_kept_replies(inner, arguments.out / "replies.jsonl")
        scorer = ExecutionAccuracy(source.catalog, metric=arguments.layout)
        logs: dict[int, RunLog] = {}
        try:
            for samples in sorted(arguments.samples):
                context = Context(samples=samples, sample_seconds=arguments.sample_seconds)
                if arguments.enough is not None:
                    context = replace(context, enough=arguments.enough)
                file = arguments.out / f"samples_{samples}.jsonl"
                opened = open_run(file, settings(samples, arguments), source.examples)
                logs[samples] = await stack.enter_async_context(opened)
                ask = asking(chat, source.catalog, context)
                await run(ask, logs[samples], source.examples, scorer, f"{samples} samples", arguments.concurrency)
        finally:
            # A run that is stopped still tells what was answered with each number.
            text = table({samples: log.lines for samples, log in logs.items()}, arguments)
            arguments.table.write_text(text, encoding="utf-8")
    print(text)


def settings(samples: int, arguments: argparse.Namespace) -> dict[str, str | int | float | None]:
    """The settings of one run."""
    return {
        "model": named(arguments),
        "samples": samples,
        "sample_seconds": arguments.sample_seconds,
        "enough": arguments.enough,
        "limit": arguments.limit,
        "seed": arguments.seed,
    }


async def run(
    ask: Ask, log: RunLog, examples: Sequence[Example], scorer: ExecutionAccuracy, name: str, concurrency: int
) -> None:
    """Ask the questions that a log lacks."""
    done = {line["index"] for line in log.lines}
    with Progress() as bar:
        task = bar.add_task(name, total=len(examples), completed=len(done))

        async def work(example: Example) -> None:
            await log.append(await timed(ask, example, scorer))
            bar.advance(task)

        await for_each(work, [example for example in examples if example.index not in done], concurrency)


async def timed(ask: Ask, example: Example, scorer: ExecutionAccuracy) -> Line:
    """The line of one question; its seconds are those that it takes when no reply is known yet."""
    with spared_seconds() as spared:
        line = await ask_and_score(ask, example, scorer)
    return {**line, "seconds": (line["seconds"] or 0.0) + sum(spared)}


def table(lines: Lines, arguments: argparse.Namespace) -> str:
    """The figures as Markdown, of the questions that were answered with each number of samples."""
    shared = set.intersection(*({line["index"] for line in run} for run in lines.values())) if lines else set()
    if not shared:
        return "No question was answered with each number of samples.\n"
    runs = {samples: [line for line in run if line["index"] in shared] for samples, run in lines.items()}
    names = {samples: f"{samples} samples" for samples in runs}
    figures = markdown_table({names[samples]: summarise(run) for samples, run in runs.items()})
    least, *others = sorted(runs)
    compared = [
        comparison_sentence(names[other], names[least], compare_runs(runs[other], runs[least])) for other in others
    ]
    drawn = f"{len(shared)} of {arguments.limit or 'all'} questions drawn with seed {arguments.seed}"
    head = heading(f"Samples: {arguments.questions.name}, {drawn}", model=named(arguments))
    return "\n\n".join([head, figures.replace("| strategy |", "| samples |", 1), in_doubt(runs), *compared]) + "\n"


def in_doubt(runs: Lines) -> str:
    """The figures of the questions that got samples in any run: those in doubt."""
    doubted = {line["index"] for run in runs.values() for line in run if "sample" in line["asked"]}
    if not doubted:
        return "No question got samples."
    head = (
        f"Of these questions {len(doubted)} were in doubt and got samples:\n\n"
        "| samples | right | calls | written tokens | seconds |\n| --: | --: | --: | --: | --: |"
    )
    rows = [
        doubt_row(samples, [line for line in run if line["index"] in doubted]) for samples, run in sorted(runs.items())
    ]
    return "\n".join([head, *rows])


def doubt_row(samples: int, lines: Sequence[Line]) -> str:
    """One row of the table of questions in doubt; costs are means per question."""
    right = sum(line["correct"] for line in lines)
    calls, tokens, seconds = (
        fmean(line[key] or 0.0 for line in lines) for key in ("calls", "completion_tokens", "seconds")
    )
    return f"| {samples} | {right} of {len(lines)} | {calls:.2f} | {tokens:.0f} | {seconds:.1f} |"


@asynccontextmanager
async def model_or_none(arguments: argparse.Namespace) -> AsyncIterator[BaseChatModel | None]:
    """The model that the options choose; None to take replies from the file alone."""
    if arguments.replay:
        yield None
        return
    async with chosen_model(arguments) as chat:
        yield chat


def options() -> argparse.ArgumentParser:
    """The options of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.set_defaults(out=Path("runs/samples"))
    add = parser.add_argument
    add("--samples", type=int, nargs="+", default=[0, 4, 8], help="Numbers of samples to compare.")
    add("--sample-seconds", type=float, default=SECONDS, help="Seconds that the samples of a question may take.")
    add("--enough", type=float, default=None, help="Confidence that ends a run early; by default the calibration's.")
    add("--replay", action="store_true", help="Take all replies from the file, without a model.")
    add("--table", type=Path, default=TABLE, help="The file that the table is written to.")
    return parser


if __name__ == "__main__":
    asyncio.run(main(options().parse_args()))
