"""Execution accuracy and cost of the three strategies on a data set in Spider's layout, in turns in one run.

The strategies take turns database by database, in rotating order, so that a busy minute or a warm cache favours none.
A run that was stopped is resumed.

    python benchmarks/strategies.py --questions DIR/dev.json --databases DIR/database --limit 200 --out DIR

Writes `strategies.md` next to this script.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.progress import Progress, TaskID
from shared.chosen_model import opened
from shared.heading import heading
from shared.options import add_options, named

from route_sql.graph.asking import Ask, asking
from route_sql.graph.context import Context, Strategy
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.evaluate import ask_and_score
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.report import comparison_sentence, markdown_table
from route_sql.training.evaluation.figures.summary import Summary, summarise
from route_sql.training.evaluation.run_log import Line, RunLog, open_run
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

STRATEGIES: tuple[Strategy, ...] = ("single", "adaptive", "paper")
TABLE = Path(__file__).with_name("strategies.md")


async def main(arguments: argparse.Namespace) -> None:
    """Run the missing parts, then write the table."""
    async with AsyncExitStack() as stack:
        source, chat = await stack.enter_async_context(opened(arguments))
        logs = {}
        for strategy in arguments.strategies:
            chosen = {"model": named(arguments), "strategy": strategy, "limit": arguments.limit, "seed": arguments.seed}
            path = arguments.out / f"{strategy}.jsonl"
            logs[strategy] = await stack.enter_async_context(open_run(path, chosen, source.examples))
        asks = {strategy: asking(chat, source.catalog, Context(strategy=strategy)) for strategy in logs}
        try:
            scorer = ExecutionAccuracy(source.catalog, metric=arguments.layout)
            await take_turns(source.examples, asks, logs, scorer, arguments.concurrency)
        finally:
            # A run that is stopped still tells what all three have answered.
            arguments.table.write_text(table({strategy: log.lines for strategy, log in logs.items()}, arguments))


async def take_turns(
    examples: Sequence[Example],
    asks: Mapping[Strategy, Ask],
    logs: Mapping[Strategy, RunLog],
    scorer: ExecutionAccuracy,
    concurrency: int,
) -> None:
    """Ask the questions of one database by one strategy after the other, then those of the next.

    With more questions than one at a time no clock is compared, and each strategy is given all of them at once.
    """
    done = {strategy: {line["index"] for line in log.lines} for strategy, log in logs.items()}
    with Progress() as bar:
        tasks: dict[Strategy, TaskID] = {
            strategy: bar.add_task(strategy, total=len(examples), completed=len(done[strategy])) for strategy in logs
        }
        for turn, (_, group) in enumerate(groupby(examples, lambda example: concurrency > 1 or example.database)):
            block = list(group)
            order = list(logs)
            for place in range(len(order)):
                strategy = order[(turn + place) % len(order)]
                missing = [example for example in block if example.index not in done[strategy]]
                ask = partial(
                    ask_and_keep, asks[strategy], logs[strategy], scorer, partial(bar.advance, tasks[strategy])
                )
                await for_each(ask, missing, concurrency)


async def ask_and_keep(
    ask: Ask, log: RunLog, scorer: ExecutionAccuracy, tick: Callable[[], None], one: Example
) -> None:
    """Ask one question, score it, write its line."""
    await log.append(await ask_and_score(ask, one, scorer))
    tick()


def table(lines: Mapping[Strategy, list[Line]], arguments: argparse.Namespace) -> str:
    """The figures as Markdown, of the questions that all strategies have answered."""
    shared = set.intersection(*({line["index"] for line in run} for run in lines.values()))
    if not shared:
        return "No question was answered by all strategies.\n"
    runs = {strategy: [line for line in run if line["index"] in shared] for strategy, run in lines.items()}
    summaries: dict[str, Summary] = {strategy: summarise(run) for strategy, run in runs.items()}
    pairs: list[tuple[Strategy, Strategy]] = [("adaptive", "single"), ("adaptive", "paper")]
    compared = [comparison_sentence(a, b, compare_runs(runs[a], runs[b])) for a, b in pairs if {a, b} <= runs.keys()]
    drawn = f"{len(shared)} of {arguments.limit or 'all'} questions drawn with seed {arguments.seed}"
    head = heading(f"Strategies: {arguments.questions.name}, {drawn}", model=named(arguments))
    return "\n\n".join([head, markdown_table(summaries), *compared]) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--table", type=Path, default=TABLE, help="The file that the table is written to.")
    add_options(parser)
    asyncio.run(main(parser.parse_args()))
