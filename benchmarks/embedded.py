"""Settings of the embedded server on questions about the demo clinic: CPU seconds, tokens, and whether answers change.

    python benchmarks/embedded.py [--questions 6] [--drafts 6] [--samples 4] [--model default]

Writes `embedded.md` next to this script. The first part asks `adaptive` with different slots, questions at once,
n-gram speculation and a cache in eight bits. The second draws samples of drafts, one request for each or all by one
request. CPU seconds are those of the server's process alone, so that another busy process changes them little. Each row
has a server of its own, whose caches are empty, but for the one that says "again". Left out: a draft model, GPUs.
"""

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from shared.changed_server import EightBitCacheServer, SpeculatingServer
from shared.heading import heading

from route_sql import Answer, Catalog, Context, EmbeddedServer, ModelStore, SQLiteDatabase
from route_sql.agents import generator
from route_sql.agents.brief import Brief
from route_sql.agents.call import TEMPERATURE, ask_model
from route_sql.agents.samples import ask_for_samples
from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS
from route_sql.graph.asking import asking
from route_sql.serving.store.model_store import ModelFile

TABLE = Path(__file__).with_name("embedded.md")
TICKS = os.sysconf("SC_CLK_TCK")
Servers = Callable[[ModelFile], EmbeddedServer]


@dataclass(frozen=True)
class Setting:
    """One row of the first part."""

    name: str
    slots: int = 1
    at_once: int = 1
    server: Servers = EmbeddedServer


SETTINGS = (
    Setting("as shipped"),
    Setting("as shipped", at_once=4),
    Setting("four slots", slots=4, at_once=4),
    Setting("n-gram speculation", server=SpeculatingServer),
    Setting("cache in eight bits, flash attention", server=EightBitCacheServer),
)


@dataclass(frozen=True)
class Cost:
    """Cost of a row."""

    cpu: float
    wall: float
    calls: int
    computed: int
    written: int


def cpu_seconds(server: EmbeddedServer) -> float:
    """CPU seconds of the server's process so far, by Linux."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def asked(server: EmbeddedServer, catalog: Catalog, questions: int, at_once: int) -> tuple[Cost, list[Answer]]:
    """Ask the first questions of the demo."""
    turn = asyncio.Semaphore(at_once)
    chat = server.chat_model()
    question_of = asking(chat, catalog, Context())

    async def one(text: str, evidence: str) -> Answer:
        async with turn:
            return await question_of({"question": text, "database": "clinic", "evidence": evidence})

    cpu, started = cpu_seconds(server), perf_counter()
    answers = await asyncio.gather(*(one(each.question, each.evidence or "") for each in QUESTIONS[:questions]))
    ledger = [entry for answer in answers for entry in answer["ledger"]]
    cost = Cost(
        cpu_seconds(server) - cpu,
        perf_counter() - started,
        len(ledger),
        sum(entry["prompt_tokens"] - (entry["cached_tokens"] or 0) for entry in ledger),
        sum(entry["completion_tokens"] for entry in ledger),
    )
    await chat.aclose()
    return cost, answers


async def first_part(model: ModelFile, catalog: Catalog, questions: int) -> list[str]:
    """Rows of each setting; answers are compared with those of the first."""
    lines = [
        "| server | asked at once | server's CPU s | seconds | calls | computed prompt tokens | written | same SQL |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    first: list[Answer] = []
    for setting in SETTINGS:
        file = replace(model, profile=replace(model.profile, slots=setting.slots))
        async with setting.server(file) as server:
            for again in ("", ", again"):
                cost, answers = await asked(server, catalog, questions, setting.at_once)
                first = first or answers
                same = sum(one["sql"] == other["sql"] for one, other in zip(first, answers, strict=True))
                lines.append(
                    f"| {setting.name}{again} | {setting.at_once} | {cost.cpu:.1f} | {cost.wall:.0f} | {cost.calls} "
                    f"| {cost.computed:,} | {cost.written} | {same} of {questions} |"
                )
                print(lines[-1], flush=True)
    return lines


async def drawn(server: EmbeddedServer, briefs: Sequence[Brief], samples: int, together: bool) -> tuple[Cost, int]:
    """Draw samples of each draft; gives the cost and the number of different texts."""
    chat: Any = server.chat_model()
    cpu, started = cpu_seconds(server), perf_counter()
    replies, texts = [], 0
    for brief in briefs:
        messages = generator.messages(brief)
        if together:
            given = await ask_for_samples(chat, messages, range(1, samples + 1))
        else:
            given = [await ask_model(chat, messages, sample=number) for number in range(1, samples + 1)]
        replies += given
        texts += len({reply.text for reply in given})
    cost = Cost(
        cpu_seconds(server) - cpu,
        perf_counter() - started,
        len(briefs) * (1 if together else samples),
        sum(reply.prompt_tokens - (reply.cached_tokens or 0) for reply in replies),
        sum(reply.completion_tokens for reply in replies),
    )
    await chat.aclose()
    return cost, texts


async def second_part(model: ModelFile, catalog: Catalog, drafts: int, samples: int) -> list[str]:
    """Rows of samples one by one, and of all by one request."""
    lines = [
        "| samples | slots | CPU s of server | seconds | requests | computed prompts | written | different texts |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    schema = await catalog.get("clinic").schema()
    for name, slots in (("one by one", 1), ("all in one request", samples)):
        file = replace(model, profile=replace(model.profile, slots=slots))
        async with EmbeddedServer(file) as server:
            briefs = [
                Brief(question=each.question, schema=schema, evidence=each.evidence or "", wording=server.wording)
                for each in QUESTIONS[:drafts]
            ]
            cost, texts = await drawn(server, briefs, samples, together=slots > 1)
            lines.append(
                f"| {name} | {slots} | {cost.cpu:.1f} | {cost.wall:.0f} | {cost.calls} | {cost.computed:,} "
                f"| {cost.written} | {texts} of {drafts * samples} |"
            )
            print(lines[-1], flush=True)
    return lines


async def main(arguments: argparse.Namespace) -> None:
    """Measure both parts and write the table."""
    model = await asyncio.to_thread(ModelStore().resolve, arguments.model)
    with TemporaryDirectory() as folder:
        file = build_demo_database(Path(folder) / "clinic.sqlite")
        async with Catalog({"clinic": SQLiteDatabase("clinic", file)}) as catalog:
            first = await first_part(model, catalog, arguments.questions)
            second = await second_part(model, catalog, arguments.drafts, arguments.samples)
    title = heading("Settings of the embedded server", "xllamacpp", model=arguments.model)
    about = (
        f'{arguments.questions} questions of the demo clinic by `adaptive`. A row that says "again" asks the same '
        "questions of the same server, so its prompts are cached."
    )
    drafts = f"{arguments.samples} samples of the drafts of {arguments.drafts} questions, at temperature {TEMPERATURE}."
    TABLE.write_text(f"{title}\n\n{about}\n\n" + "\n".join(first) + f"\n\n{drafts}\n\n" + "\n".join(second) + "\n")


def read_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Settings of the embedded server.")
    parser.add_argument("--model", default="default")
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--drafts", type=int, default=6)
    parser.add_argument("--samples", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(read_arguments()))
