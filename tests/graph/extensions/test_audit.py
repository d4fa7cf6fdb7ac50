"""The audit: a line for each query, by choice; without a line there is no result."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.extensions.audit import WITHHELD, AuditEntry
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
QUESTION = Question(question="Who lives in Bergen?", database="shop")
SINGLE = Context(strategy="single")
THREAD: Any = {"configurable": {"thread_id": "t-1"}}


@pytest.fixture
def entries() -> list[AuditEntry]:
    return []


async def test_each_query_has_a_line(model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry]) -> None:
    model.enqueue("sql", "SELECT nme FROM customer", NAMES).enqueue("link", "{}")
    model.enqueue("verdict", f"verdict: wrong\n{NAMES} ORDER BY 1")
    graph: Any = build_graph(model, catalog, audit=entries.append, checkpointer=InMemorySaver())
    before = datetime.now(UTC)
    answer = await graph.ainvoke(QUESTION, THREAD, context=Context(asked_by="ida"))
    assert [(each["agent"], each["sql"], each["status"], each["row_count"]) for each in answer["candidates"]] == [
        (entry["agent"], entry["sql"], entry["status"], entry["rows"]) for entry in entries
    ]
    assert len(entries) == 3 and entries[0]["error"] and entries[1]["rows"] == 2
    assert {(entry["who"], entry["thread"], entry["database"], entry["decision"]) for entry in entries} == {
        ("ida", "t-1", "shop", "allowed")
    }
    ended = datetime.fromisoformat(entries[1]["time"])
    assert timedelta(milliseconds=-1) < ended - before < timedelta(minutes=1)


async def test_a_logger_gets_lines_of_json(
    model: ScriptedModel, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    model.enqueue("sql", f"{NAMES}\n-- a comment")
    caplog.set_level(logging.INFO, "audit")
    graph: Any = build_graph(model, catalog, audit=logging.getLogger("audit"))
    await graph.ainvoke(QUESTION, context=SINGLE)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "audit"]
    entry = json.loads(line)
    assert "\n" not in line and set(entry) == set(AuditEntry.__annotations__)
    assert (entry["who"], entry["thread"], entry["status"], entry["rows"]) == (None, None, "ok", 2)


async def test_the_user_of_the_server_is_who_asked(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry]
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=entries.append)
    await graph.ainvoke(QUESTION, {"configurable": {"langgraph_auth_user_id": "user-7"}}, context=SINGLE)
    assert entries[0]["who"] == "user-7"


@pytest.mark.parametrize(
    ("resume", "decision", "status"), [(True, "approved", "ok"), ({"type": "reject"}, "rejected", "refused")]
)
async def test_a_persons_decision_is_recorded(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry], resume: Any, decision: str, status: str
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=entries.append, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True, asked_by="ida"))
    assert entries == []
    await graph.ainvoke(Command(resume=resume), THREAD)
    assert [(each["who"], each["decision"], each["status"]) for each in entries] == [("ida", decision, status)]


@pytest.mark.parametrize(
    ("resume", "decision"),
    [
        ({"type": "approve", "by": "  bo\x1b[31m "}, "approved"),
        ({"decisions": [{"type": "approve", "by": "bo"}]}, "approved"),
        ({"type": "edit", "sql": f"{NAMES} LIMIT 1", "by": "bo"}, "edited"),
        ({"type": "reject", "reason": "no", "by": "bo"}, "rejected"),
    ],
)
async def test_the_person_who_decided_is_named(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry], resume: Any, decision: str
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=entries.append, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True, asked_by="ida"))
    answer = await graph.ainvoke(Command(resume=resume), THREAD)
    assert [(each["who"], str(each["by"])[:2], each["decision"]) for each in entries] == [("ida", "bo", decision)]
    assert "\x1b" not in str(entries)
    (candidate,) = answer["candidates"]
    assert (candidate["decision"], candidate["decided_by"]) == (decision, entries[0]["by"])


async def test_a_name_given_does_not_replace_the_authenticated_user(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry]
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=entries.append, checkpointer=InMemorySaver())
    asked: Any = {"configurable": {"thread_id": "t-1", "langgraph_auth_user_id": "user-7"}}
    await graph.ainvoke(QUESTION, asked, context=Context(strategy="single", approve=True))
    decided: Any = {"configurable": {"thread_id": "t-1", "langgraph_auth_user_id": "user-8"}}
    await graph.ainvoke(Command(resume={"type": "approve", "by": "user-7"}), decided)
    assert [(each["who"], each["by"]) for each in entries] == [("user-7", "user-8")]


@pytest.mark.parametrize("by", [7, "x" * 201, ["ida"]])
async def test_a_name_that_is_none_runs_nothing(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry], by: Any
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=entries.append, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True))
    with pytest.raises(InvalidInput, match="'by', the person's name"):
        await graph.ainvoke(Command(resume={"type": "approve", "by": by}), THREAD)
    assert entries == []


async def test_refused_queries_are_recorded(model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry]) -> None:
    def refuses(question: str, sql: str, database: str) -> str | None:
        return "No." if "customer" in sql else None

    model.enqueue("sql", NAMES, "DELETE FROM sale")
    graph: Any = build_graph(model, catalog, audit=entries.append, query_checks=[refuses])
    for _ in range(2):
        await graph.ainvoke(QUESTION, context=SINGLE)
    assert [(each["decision"], each["status"], each["error"]) for each in entries[:1]] == [
        ("refused", "refused", "No.")
    ]
    assert (entries[1]["decision"], entries[1]["status"]) == ("allowed", "refused")  # by the guard


async def test_a_query_that_is_stopped_has_a_line(
    model: ScriptedModel, catalog: Catalog, entries: list[AuditEntry]
) -> None:
    model.enqueue("sql", ENDLESS)
    graph: Any = build_graph(model, catalog, audit=entries.append)
    run = asyncio.create_task(graph.ainvoke(QUESTION, context=SINGLE))
    await asyncio.sleep(1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [(each["sql"], each["status"], each["error"]) for each in entries] == [
        (ENDLESS, "stopped", "CancelledError")
    ]


def full(entry: AuditEntry) -> None:
    raise OSError("the disk is full")


async def slow(entry: AuditEntry) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("log", [full, slow])
async def test_without_its_line_a_result_is_withheld(model: ScriptedModel, catalog: Catalog, log: Any) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, audit=log, extension_seconds=0.2)
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    assert (answer["status"], answer["rows"], answer["error"]) == ("refused", [], WITHHELD)


@pytest.mark.parametrize("log", ["audit.log", lambda: None])
async def test_a_log_is_a_logger_or_a_function(model: ScriptedModel, catalog: Catalog, log: Any) -> None:
    with pytest.raises(InvalidInput, match="audit log .* must be a function of .entry."):
        build_graph(model, catalog, audit=log)
    with pytest.raises(InvalidInput, match="asked_by in the context must be the caller's name"):
        Context(asked_by=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO], ids=["too high a level", "no handler"])
async def test_a_logger_that_drops_the_line_gives_no_result(model: ScriptedModel, catalog: Catalog, level: int) -> None:
    model.enqueue("sql", NAMES)
    log = logging.Logger("apart", level)  # it has no parents, and so no handlers of theirs
    if level > logging.INFO:
        log.addHandler(logging.NullHandler())
    answer: Any = await build_graph(model, catalog, audit=log).ainvoke(QUESTION, context=SINGLE)
    assert (answer["status"], answer["error"], answer["rows"]) == ("refused", WITHHELD, [])
