"""Follow-up questions: dialogues of our own, and how many of their later turns are right on the thread and alone.

The dialogues are in `dialogues/`: those of the demo clinic and of `tuned.txt` served to improve how the model sees a
follow-up, those of `reported.txt` only to measure it. Replies are kept in `OUT/replies.jsonl`: a run that was
stopped resumes, and `--replay` makes the table again from the file alone, without a model.

    python benchmarks/dialogues.py --databases DIR/database --out DIR

Writes `dialogues.md` next to this script.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver
from shared.heading import heading
from shared.kept_replies import with_kept_replies

from route_sql.demo.database import build_demo_database
from route_sql.graph.context import Context
from route_sql.graph.threads.memory import turn_of
from route_sql.graph.wiring import build_graph
from route_sql.models import open_model
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.open_database import open_database
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

TABLE = Path(__file__).with_name("dialogues.md")
FOLDER = Path(__file__).with_name("dialogues")
SETS = {"tuned on": ("clinic", "tuned"), "reported": ("reported",)}
"""Files of dialogues, by their use."""
DEMO = "clinic"
WHOLE = ("unrelated",)
"""Kinds of later turns that are whole questions."""
WAYS = ("thread", "alone", "forced")
RIGHTS = Context().rights.as_json()


@dataclass(frozen=True)
class Turn:
    """A question of a dialogue, the kind of change that it makes to the one before, and its gold SQL."""

    kind: str
    question: str
    sql: str


@dataclass(frozen=True)
class Dialogue:
    """The turns on one database; `use` is a key of `SETS`."""

    use: str
    database: str
    turns: Sequence[Turn]


class Asked(TypedDict):
    """A later turn, whether each way of asking gave the right rows, and which ways read it as a follow-up."""

    use: str
    database: str
    kind: str
    question: str
    right: dict[str, bool]
    follows: dict[str, bool]
    sql: dict[str, str | None]


async def main(arguments: argparse.Namespace) -> None:
    """Ask all turns and write the table."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    dialogues = [each for each in all_dialogues() if arguments.use in (None, each.use)]
    async with opened(arguments, dialogues) as (chat, catalog):
        trial = Trial(chat, catalog, Context(strategy=arguments.strategy), arguments.ways)
        asked = [line for dialogue in dialogues for line in await trial.ask(dialogue)]
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in asked)
    (arguments.out / "turns.jsonl").write_text(lines, encoding="utf-8")
    text = table(asked, dialogues, arguments)
    arguments.table.write_text(text, encoding="utf-8")
    print(text)


def all_dialogues() -> Iterator[Dialogue]:
    """The dialogues of all files."""
    for use, names in SETS.items():
        for name in names:
            for block in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip().split("\n\n"):
                head, *lines = block.splitlines()
                yield Dialogue(use, head.removeprefix("# "), [Turn(*line.split(" | ", 2)) for line in lines])


@asynccontextmanager
async def opened(
    arguments: argparse.Namespace, dialogues: Sequence[Dialogue]
) -> AsyncIterator[tuple[BaseChatModel, Catalog]]:
    """The model with its kept replies, and a catalog of the dialogues' databases."""
    names = {each.database for each in dialogues}
    urls = {name: str(arguments.databases / name / f"{name}.sqlite") for name in names - {DEMO}}
    if DEMO in names:
        urls[DEMO] = str(build_demo_database(arguments.out / f"{DEMO}.sqlite"))
    databases = {name: open_database(name, url, Path()) for name, url in urls.items()}
    async with chosen_model(arguments) as inner, Catalog(databases) as catalog:
        yield await with_kept_replies(inner, arguments.out / "replies.jsonl"), catalog


@asynccontextmanager
async def chosen_model(arguments: argparse.Namespace) -> AsyncIterator[BaseChatModel | None]:
    """The model that the options choose; None for the replies of the file alone."""
    if arguments.replay:
        yield None
        return
    settings = Settings()
    with download_progress() as fetched:
        async with open_model(arguments.model or settings.model, settings, fetched) as chat:
            yield chat


class Trial:
    """Asks the later turns of dialogues in the chosen ways."""

    def __init__(self, chat: BaseChatModel, catalog: Catalog, context: Context, ways: Sequence[str]) -> None:
        """Ask `chat` about the databases of `catalog`."""
        self._graph: Any = build_graph(chat, catalog, checkpointer=InMemorySaver())
        self._scorer = ExecutionAccuracy(catalog)
        self._catalog = catalog
        self._context = context
        self._ways = ways
        self._threads = 0

    async def ask(self, dialogue: Dialogue) -> list[Asked]:
        """The later turns of a dialogue."""
        thread, asked = self._new_thread(), []
        if "thread" in self._ways:
            await self._answer(dialogue.turns[0], dialogue, thread)
        for before, turn in pairwise(dialogue.turns):
            answers = {}
            if "thread" in self._ways:
                answers["thread"] = await self._answer(turn, dialogue, thread)
            if "alone" in self._ways:
                answers["alone"] = await self._answer(turn, dialogue, self._new_thread())
            if "forced" in self._ways:
                given = await self._gold_turn(before, dialogue)
                answers["forced"] = await self._answer(turn, dialogue, self._new_thread(), last_turn=given)
            asked.append(await self._scored(turn, dialogue, answers))
        return asked

    async def _answer(self, turn: Turn, dialogue: Dialogue, thread: str, **more: Any) -> Any:
        question = {"question": turn.question, "database": dialogue.database, **more}
        return await self._graph.ainvoke(question, {"configurable": {"thread_id": thread}}, context=self._context)

    async def _gold_turn(self, turn: Turn, dialogue: Dialogue) -> Any:
        """A turn as a thread keeps it whose answer was the gold SQL."""
        outcome = await self._catalog.get(dialogue.database).execute(turn.sql)
        if outcome["error"] is not None:
            raise ValueError(f"the gold SQL of {turn.question!r} fails: {outcome['error']}")
        return turn_of(turn.question, dialogue.database, turn.sql, outcome["columns"], RIGHTS)

    async def _scored(self, turn: Turn, dialogue: Dialogue, answers: dict[str, Any]) -> Asked:
        example = Example(0, dialogue.database, turn.question, "", turn.sql)
        scores = {way: await self._scorer.score(example, answer["sql"]) for way, answer in answers.items()}
        return Asked(
            use=dialogue.use,
            database=dialogue.database,
            kind=turn.kind,
            question=turn.question,
            right={way: score.correct for way, score in scores.items()},
            follows={way: any(note.startswith("Read as") for note in answers[way]["notes"]) for way in answers},
            sql={way: answer["sql"] for way, answer in answers.items()},
        )

    def _new_thread(self) -> str:
        self._threads += 1
        return str(self._threads)


def table(asked: Sequence[Asked], dialogues: Sequence[Dialogue], arguments: argparse.Namespace) -> str:
    """The figures as Markdown: one row a use and kind of turn."""
    count = {use: len([each for each in dialogues if each.use == use]) for use in SETS}
    title = f"Dialogues: {len(asked)} later turns of {len(dialogues)} dialogues of our own"
    head = heading(title, model=arguments.model or Settings().model, strategy=arguments.strategy)
    parts = [head, EXPLAINED]
    for use in SETS:
        if lines := [line for line in asked if line["use"] == use]:
            databases = ", ".join(sorted({line["database"] for line in lines}))
            parts += [f"## {use.capitalize()}\n\n{count[use]} dialogues on {databases}.", rows(lines)]
    return "\n\n".join(parts) + "\n"


EXPLAINED = """\
Each later turn is asked on its thread, alone, and on a thread whose turn before was answered by the gold SQL; an empty
cell was not measured. Right by execution, Spider's rule. A follow-up is missed if it is read alone; a whole question is
mixed up if it is read as a follow-up. The part of the schema that a follow-up sees was chosen on the clinic and on
`tuned.txt`. The rules on which question is a follow-up were written with the wording of all dialogues at hand, so the
last two columns are not held out."""


def rows(lines: Sequence[Asked]) -> str:
    """One row a kind of turn, then follow-ups, whole questions and all."""
    kinds = sorted({line["kind"] for line in lines}, key=lambda kind: (kind in WHOLE, kind))
    groups = [(kind, [line for line in lines if line["kind"] == kind]) for kind in kinds]
    groups.append(("**follow-ups**", [line for line in lines if line["kind"] not in WHOLE]))
    groups.append(("**whole questions**", [line for line in lines if line["kind"] in WHOLE]))
    head = "| kind | turns | right on the thread | right alone | right after gold | missed | mixed up |"
    body = [row(name, group) for name, group in [*groups, ("**all**", list(lines))]]
    return "\n".join([head, "| --- |" + " --: |" * 6, *body])


def row(name: str, lines: Sequence[Asked]) -> str:
    """The figures of some turns; a way that was not asked has none."""
    asked = {way: [line["right"][way] for line in lines if way in line["right"]] for way in WAYS}
    right = [str(sum(asked[way])) if asked[way] else "" for way in WAYS]
    follows = [(line["kind"] not in WHOLE, any(line["follows"].values())) for line in lines]
    missed, mixed = follows.count((True, False)), follows.count((False, True))
    return f"| {name} | {len(lines)} | {' | '.join(right)} | {missed} | {mixed} |"


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", type=Path, required=True, help="Spider's folder of databases.")
    parser.add_argument("--out", type=Path, default=Path("runs/dialogues"), help="Where replies and turns are kept.")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--model", default=None, help="As of the command line.")
    parser.add_argument("--strategy", choices=("adaptive", "paper", "single"), default="adaptive")
    parser.add_argument("--use", choices=tuple(SETS), help="One of the two sets alone.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="Some of the ways of asking alone.")
    parser.add_argument("--replay", action="store_true", help="Ask no model: take the replies of an earlier run.")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
