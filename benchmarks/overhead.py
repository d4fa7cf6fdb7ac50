"""The cost of the graph itself for a question, next to a graph of the same nodes that do nothing.

    python benchmarks/overhead.py

Writes `overhead.md` next to this script. The model and the executor answer at once. Both graphs take turns in one run,
so that the load of the machine is the same for both; the ratio is of the medians.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from shared.heading import heading

from route_sql import Answer, Catalog, Context, Outcome, Question, State, Strategy, build_graph, returned
from route_sql.testing import ScriptedModel

ROUNDS = 200
SQL = "SELECT name FROM pet"
"""The reply to every task; the linker and the corrector read it as no link and no verdict."""
STRATEGIES: tuple[Strategy, ...] = ("single", "adaptive", "paper")
Cost = tuple[float, float]
"""Milliseconds, and the processor's milliseconds."""
Times = tuple[list[Cost], list[Cost]]
"""Cost of each question, by the graph and by the one that does nothing."""


@tool(response_format="content_and_artifact")
async def instant_sql(sql: str, database: str) -> tuple[str, Outcome]:
    """Answer any SQL at once."""
    return "1 row", returned(["name"], [["Rex"]])


async def nothing(state: State) -> dict[str, object]:
    """Do nothing."""
    return {}


def following(after: list[str]) -> Any:
    """A router that always leads to these nodes; async, so that LangGraph needs no thread for it."""

    async def route(state: State) -> list[str]:
        return after

    return route


async def steps_of(graph: Any, question: Question, context: Context) -> list[list[str]]:
    """The nodes of each step of a run; those of one step run side by side."""
    steps: dict[int, list[str]] = {}
    async for part in graph.astream(question, context=context, stream_mode="debug"):
        if part["type"] == "task":
            steps.setdefault(part["step"], []).append(part["payload"]["name"])
    return [steps[number] for number in sorted(steps)]


def idle_graph(steps: list[list[str]]) -> Any:
    """A graph with the same state whose nodes do nothing, each followed by a router where ours has one."""
    builder = StateGraph(State, context_schema=Context, input_schema=Question, output_schema=Answer)
    names = [[f"{name}-{place}" for name in step] for place, step in enumerate(steps)]
    for name in [name for step in names for name in step]:
        builder.add_node(name, nothing)
    for before, after in zip([[START], *names], [*names, [END]], strict=True):
        is_routed = before[0].startswith(("ground", "execute"))
        for one in before:
            if is_routed:
                builder.add_conditional_edges(one, following(after), after)
            else:
                _ = [builder.add_edge(one, other) for other in after]
    return builder.compile()


async def milliseconds(graph: Any, question: Question, context: Context) -> Cost:
    """The time of one question, and the processor's time for it."""
    began, busy = perf_counter(), process_time()
    await graph.ainvoke(question, context=context)
    return (perf_counter() - began) * 1000, (process_time() - busy) * 1000


async def measure(path: Path, rounds: int = ROUNDS) -> dict[Strategy, Times]:
    """Milliseconds of each question, by strategy."""
    catalog, name = Catalog.from_url(path)
    spent: dict[Strategy, Times] = {strategy: ([], []) for strategy in STRATEGIES}
    question = Question(question="Which pets are there?", database=name)
    async with catalog:
        graph = build_graph(ScriptedModel(otherwise=lambda task, prompt: SQL), catalog, executor=instant_sql)
        contexts = {strategy: Context(strategy=strategy) for strategy in STRATEGIES}
        idle = {each: idle_graph(await steps_of(graph, question, context)) for each, context in contexts.items()}
        for _ in range(rounds):
            for strategy, (ours, theirs) in spent.items():
                ours.append(await milliseconds(graph, question, contexts[strategy]))
                theirs.append(await milliseconds(idle[strategy], question, contexts[strategy]))
    return spent


def table(spent: dict[Strategy, Times]) -> list[str]:
    """The figures as a table: time, and the processor's time, which depends less on the machine's load."""
    head = "| strategy | ms a question | doing nothing | ratio | CPU ms a question | doing nothing | ratio |"
    lines = [head, "| --- | --: | --: | --: | --: | --: | --: |"]
    for strategy, (ours, idle) in spent.items():
        cells: list[str] = [strategy]
        for kind in (0, 1):
            cost, nothing_done = median(each[kind] for each in ours), median(each[kind] for each in idle)
            cells += [f"{cost:.1f}", f"{nothing_done:.1f}", f"{cost / nothing_done:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure and write the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pets.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex');")
        spent = asyncio.run(measure(path))
    lines = [heading("Overhead of the graph", "langgraph", "langchain-core"), "", *table(spent)]
    lines += ["", f"Medians of {ROUNDS} rounds in which the strategies and the two graphs take turns."]
    Path(__file__).with_name("overhead.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
