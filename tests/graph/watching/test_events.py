"""The story of a run: typed JSON events, no silence, no empty step, and replies with the name of their agent."""

import asyncio
import json
from time import monotonic
from typing import Any, get_args

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.agents.call import FOR_PEOPLE, FOR_PROGRAMS
from route_sql.graph.context import Context, Strategy
from route_sql.graph.events import PAUSE, Event, EventKind
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Where did they live who bought late?", database="shop")
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
NAMES = "SELECT name FROM customer"
THREAD: Any = {"configurable": {"thread_id": "1"}}


class SlowModel(ScriptedModel):
    """A scripted model that thinks, and that has to be loaded first."""

    seconds: float = 0.0
    is_loaded: bool = True

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(self.seconds)
        self.is_loaded = True
        return self._generate(messages)


async def story(model: ScriptedModel, catalog: Catalog, context: Context | None = None) -> list[Event]:
    graph: Any = build_graph(model, catalog)
    events: list[Event] = [each async for each in graph.astream(QUESTION, context=context, stream_mode="custom")]
    assert json.loads(json.dumps(events)) == events
    for event in events:
        assert event.keys() == Event.__required_keys__ and event["kind"] in get_args(EventKind)
    assert [event["seconds"] for event in events] == sorted(event["seconds"] for event in events)
    return [event for event in events if event["kind"] != "work"]  # a busy machine is slow


async def test_a_run_tells_what_it_does_and_why(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING, "no idea").enqueue("link", '{"customer": ["city"]}').enqueue(
        "verdict", "verdict: right"
    )
    texts = [event["text"] for event in await story(model, catalog)]
    assert texts[:6] == [
        "reading the database",
        "writing a draft",
        "wrote the draft",
        "running the draft",
        "the draft failed: unknown column city. city is a column of customer; repairing its joins",
        "repairing the joins along the keys",
    ]
    assert "linked 1 of 3 tables" in texts and "the reply holds no new SQL" in texts
    assert texts[-1].startswith("answered with 1 row, confidence 0.")


async def test_events_have_node_sql_and_time(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    events = await story(model, catalog, Context(strategy="single"))
    assert [(event["node"], event["kind"], event["sql"]) for event in events] == [
        ("ground", "begin", None),
        ("generate", "begin", None),
        ("generate", "write", NAMES),
        ("execute", "begin", NAMES),
        ("execute", "result", NAMES),
        ("answer", "begin", None),
        ("answer", "answer", NAMES),
    ]


async def test_nothing_is_silent_for_two_seconds(catalog: Catalog) -> None:
    model = SlowModel(history=[], seconds=4.5, is_loaded=False).enqueue("sql", NAMES)
    graph = build_graph(model, catalog)
    heard, texts = [monotonic()], []
    async for event in graph.astream(QUESTION, context=Context(strategy="single"), stream_mode="custom"):
        heard.append(monotonic())
        texts.append(event["text"])
    assert max(later - earlier for earlier, later in zip(heard, heard[1:], strict=False)) < 2.0
    assert "loading the model" in texts and 2 <= texts.count("still loading the model") <= 4.5 / PAUSE


async def test_a_node_that_ended_says_nothing_more(catalog: Catalog) -> None:
    model = SlowModel(history=[], seconds=2.8).enqueue("sql", NAMES)
    asked = Question(question="Who lives in Bergen?", database="shop")
    graph = build_graph(model, catalog)
    events = [each async for each in graph.astream(asked, context=Context(strategy="single"), stream_mode="custom")]
    working = [event for event in events if event["kind"] == "work"]
    assert "found 1 note on the question" in [event["text"] for event in events]
    assert working and {(event["node"], event["text"]) for event in working} == {("generate", "still writing a query")}


async def test_an_error_in_the_story_is_one_clipped_line(model: ScriptedModel, catalog: Catalog) -> None:
    name = "x\n\u202ey\x1b[31m" + "z" * 5_000
    model.enqueue("sql", f'SELECT "{name}" FROM customer, nothing')
    for event in await story(model, catalog, Context(strategy="single")):
        assert len(event["text"]) <= 300
        assert event["text"].isprintable() or event["text"].isascii()


RUNS: list[tuple[Strategy, dict[str, list[str]]]] = [
    ("single", {"sql": [NAMES]}),
    ("single", {"sql": ["no idea"]}),
    ("adaptive", {"sql": [NAMES, f"{NAMES} WHERE 1=1"]}),
    ("adaptive", {"sql": [LACKING, "no idea"], "link": ["{}"], "verdict": ["verdict: right"]}),
    ("adaptive", {"sql": ["SELECT nam FROM customer", "SELECT nam FROM customer"], "link": ["{}"],
                  "verdict": ["verdict: right"], "continuation": ["no idea"]}),
    ("adaptive", {"sql": ["no idea", "no idea"], "link": ["{}"], "continuation": [""]}),
    ("paper", {"sql": [NAMES, NAMES], "link": ["{}"], "verdict": ["verdict: right"]}),
]  # fmt: skip


@pytest.mark.parametrize(("strategy", "replies"), RUNS)
async def test_no_step_runs_nothing(
    model: ScriptedModel, catalog: Catalog, strategy: Strategy, replies: dict[Any, list[str]]
) -> None:
    for task, texts in replies.items():
        model.enqueue(task, *texts)
    graph = build_graph(model, catalog)
    keys = list(Answer.__annotations__)  # LangGraph's server streams no other keys
    executed = candidates = 0
    async for update in graph.astream(
        QUESTION, context=Context(strategy=strategy), stream_mode="updates", output_keys=keys
    ):
        if "execute" in update:
            executed += 1
            candidates = len(update["execute"]["candidates"])
        for node in ("draft", "generate", "complete_joins", "correct_noise", "continue_writing"):
            if (update.get(node) or {}).get("sql"):
                assert update[node]["sql"].startswith("SELECT")
    assert executed == candidates


async def test_the_sql_just_written_is_in_the_update(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(strategy="single", approve=True)
    keys = list(Answer.__annotations__)
    seen: list[Any] = []
    texts: list[Any] = []
    modes: Any = ["updates", "custom"]
    async for mode, part in graph.astream(QUESTION, THREAD, context=context, stream_mode=modes, output_keys=keys):
        (seen if mode == "updates" else texts).append(part)
    assert texts[-1]["text"] == "asking a person to approve the query"
    assert next(each["generate"]["sql"] for each in seen if "generate" in each) == NAMES
    answer = await graph.ainvoke(Command(resume=True), THREAD, context=context)
    assert answer["sql"] == NAMES


async def test_replies_for_programs_are_tagged(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING, NAMES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    graph: Any = build_graph(model, catalog)
    tags: dict[str, set[str]] = {}
    async for _, metadata in graph.astream(QUESTION, stream_mode="messages"):
        tags.setdefault(metadata["langgraph_node"], set()).update(metadata.get("tags", []))
    assert tags["link_schema"] == {FOR_PROGRAMS}
    assert tags["draft"] == tags["generate"] == {FOR_PEOPLE}
    assert all(tags.get(node, {FOR_PROGRAMS}) == {FOR_PROGRAMS} for node in ("correct_noise",))
