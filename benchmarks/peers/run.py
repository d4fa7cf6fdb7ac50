"""route-sql and other text-to-SQL libraries on the same questions, over the same embedded server, in turns.

    python benchmarks/peers/run.py --spider DIR --out runs/peers [--questions 5] [--models base] [--table FILE]

DIR holds `dev.json` and the folder `database`. Each library runs in an environment that is made from the pinned names
in `contestants.py`, and is used as its documentation shows it. It is asked one question at a time, and the libraries
take turns database by database. Plain-chat libraries are asked 200 questions with both models, agents 60 questions with
the untuned base and 60 seconds for each; `--questions` asks fewer. The questions are the first of one random order, so
a later run with more asks only the missing ones. A stopped run resumes by the same command.

A query counts as right by Spider's rule (EX): the last one that the library ran, as it ran it. Five attacks and five
questions without an answer are asked of copies of the demonstration's clinic. Tokens are counted by a server between
library and model; a reply for which the library names no bound has at most 512 tokens. Left out: the quality of the
answer as text, and settings other than a library's defaults.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from peers.contestants import CONTESTANTS, LEFT_OUT, Contestant
from peers.environments import interpreter
from peers.lines import Kind, Line, Lines
from peers.meter import Meter
from peers.process import PeerProcess
from peers.table import table
from peers.trials import ATTACKS, UNANSWERABLE, content, gave_rows, harm
from shared.heading import heading

from route_sql.demo.database import build_demo_database
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.store.model_store import ModelStore
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

MODELS = ("base", "default")
PLAIN, AGENTS = 200, 60
SECONDS, AGENT_SECONDS = 300.0, 60.0
DRIVERS = Path(__file__).parent / "drivers"


@dataclass
class Seat:
    """A contestant with one model, ready to be asked."""

    contestant: Contestant
    process: PeerProcess
    lines: Lines
    meter: Meter

    def ask(self, kind: Kind, index: int, question: str, database: Path) -> tuple[Line, bool]:
        """Ask a question; the line lacks its outcome, and the second value says whether the peer was stopped."""
        self.meter.wait(120.0)
        self.meter.cost_since()
        begun = monotonic()
        seconds = AGENT_SECONDS if self.contestant.is_agent else SECONDS
        reply = self.process.ask(question, database, seconds)
        spent = round(monotonic() - begun, 2)
        cost = self.meter.cost_since()
        line = Line(
            peer=self.lines.peer,
            model=self.lines.model,
            kind=kind,
            index=index,
            question=question,
            sql=reply["sql"],
            text=str(reply["text"])[:2000],
            error=reply["error"],
            outcome="",
            calls=cost.calls,
            computed=cost.computed,
            written=cost.written,
            seconds=spent,
        )
        return line, bool(reply.get("late"))


async def main(arguments: argparse.Namespace) -> None:
    """Ask the missing questions, then write the table."""
    failed = dict(LEFT_OUT)
    ready = _environments(arguments, failed)
    data_set = DataSet("spider", arguments.spider / "dev.json", arguments.spider / "database")
    async with open_data_set(data_set) as source:
        for model in arguments.models:
            await _with_model(model, source, ready, arguments, failed)
    _write_table(arguments, failed)


def _environments(arguments: argparse.Namespace, failed: dict[str, str]) -> dict[Contestant, Path]:
    ready = {}
    for contestant in (each for each in CONTESTANTS if set(each.models) & set(arguments.models)):
        print(f"environment of {contestant.name}", flush=True)
        try:
            ready[contestant] = interpreter(contestant.packages, arguments.out / "environments")
        except RuntimeError as error:
            failed[contestant.title] = f"its packages can't be installed: {str(error)[-200:]}"
    return ready


async def _with_model(
    model: str,
    source: OpenDataSet,
    ready: dict[Contestant, Path],
    arguments: argparse.Namespace,
    failed: dict[str, str],
) -> None:
    async with EmbeddedServer(await asyncio.to_thread(ModelStore().resolve, model)) as server:
        with Meter(server.url, server.api_key) as meter, ExitStack() as stack:
            settings = {"url": meter.url, "key": server.api_key, "model": server.served_name}
            seats = [
                Seat(
                    each,
                    PeerProcess(python, DRIVERS / each.driver, settings),
                    Lines(arguments.out, each.name, model),
                    meter,
                )
                for each, python in ready.items()
                if model in each.models
            ]
            for seat in seats:
                stack.callback(seat.process.stop)
            await _in_turns(seats, source, arguments, failed)


async def _in_turns(
    seats: list[Seat], source: OpenDataSet, arguments: argparse.Namespace, failed: dict[str, str]
) -> None:
    scorer = ExecutionAccuracy(source.catalog, metric="spider")
    order = list(source.examples)
    Random(0).shuffle(order)
    drawn = sorted(order[: min(PLAIN, arguments.questions)], key=lambda example: example.database)
    for_agents = {example.index for example in order[: min(AGENTS, arguments.questions)]}
    for turn, (name, group) in enumerate(groupby(drawn, key=lambda example: example.database)):
        examples, first = list(group), turn % max(1, len(seats))
        for seat in [*seats[first:], *seats[:first]]:
            asked = [e for e in examples if not seat.contestant.is_agent or e.index in for_agents]
            await _or_leave_out(seat, seats, failed, _questions(seat, asked, arguments.spider, scorer))
        print(f"{seats[0].lines.model if seats else ''}: {name}", flush=True)
    for seat in list(seats):
        await _or_leave_out(seat, seats, failed, _trials(seat, arguments.questions))


async def _or_leave_out(seat: Seat, seats: list[Seat], failed: dict[str, str], asked: Any) -> None:
    """Leave a peer out that does not start."""
    try:
        await asked
    except RuntimeError as error:
        failed[seat.contestant.title] = str(error)[-300:].replace("\n", " ")
        seats.remove(seat)


async def _questions(seat: Seat, examples: Sequence[Example], spider: Path, scorer: ExecutionAccuracy) -> None:
    for example in examples:
        if not seat.lines.lack("spider", example.index):
            continue
        with_copy = _copy(spider / "database" / example.database / f"{example.database}.sqlite")
        line, _ = await asyncio.to_thread(seat.ask, "spider", example.index, example.question, with_copy)
        score = await scorer.score(example, line["sql"])
        line["outcome"] = "gold fails" if score.gold_fault else "right" if score.correct else "wrong"
        seat.lines.add(line)
        shutil.rmtree(with_copy.parent)


async def _trials(seat: Seat, most: int) -> None:
    trials: list[tuple[Kind, Sequence[str]]] = [("attack", ATTACKS), ("unanswerable", UNANSWERABLE)]
    for kind, questions in trials:
        for index, question in enumerate(questions[:most]):
            if seat.lines.lack(kind, index):
                await asyncio.to_thread(_trial, seat, kind, index, question)


def _trial(seat: Seat, kind: Kind, index: int, question: str) -> None:
    database = Path(mkdtemp(prefix="clinic-")) / "clinic.sqlite"
    build_demo_database(database)
    before = content(database)
    line, late = seat.ask(kind, index, question, database)
    if kind == "attack":
        line["outcome"] = harm(before, database, seat.process.folder, late)
        (seat.process.folder / "stolen.sqlite").unlink(missing_ok=True)
    else:
        line["outcome"] = "gave rows" if gave_rows(line["sql"], database) else "no rows"
    seat.lines.add(line)
    shutil.rmtree(database.parent)


def _copy(file: Path) -> Path:
    """A copy, since a peer may write."""
    return Path(shutil.copy(file, Path(mkdtemp(prefix="spider-")) / file.name))


def _write_table(arguments: argparse.Namespace, failed: dict[str, str]) -> None:
    found = [Lines(arguments.out, each.name, model) for model in MODELS for each in CONTESTANTS]
    head = heading("Other text-to-SQL libraries", planned=f"{PLAIN} questions, {AGENTS} for agents")
    note = (
        "Calls, tokens of prompts computed, tokens written and seconds are means of a Spider dev question; `base` is "
        "the untuned model, `default` the tuned one. An agent is stopped after 60 seconds, the others after 300. The "
        "two agents end after one call: a model of this size writes SQL or a call of a made-up tool as text, which "
        "they don't run. They need a larger model."
    )
    text = f"{head}\n\n{note}\n\n{table(CONTESTANTS, found, failed)}"
    arguments.table.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spider", type=Path, required=True, help="Folder with dev.json and database.")
    parser.add_argument("--out", type=Path, default=Path("runs/peers"), help="Folder of the lines and environments.")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="Ask with these models only.")
    parser.add_argument("--questions", type=int, default=PLAIN, help="Ask at most this many; for a rehearsal.")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("peers.md"), help="File of the table.")
    asyncio.run(main(parser.parse_args()))
