"""A person's own SQL over HTTP: guarded, with the caller's rights, in a thread, and without a call of the model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.api_app import ASKED, STREAM, Running, events_in, serving_api

from route_sql import Context
from route_sql.api.service import ServiceLimits
from route_sql.graph.extensions.audit import AuditEntry
from route_sql.testing import ScriptedModel

NAMES = "SELECT name FROM pet ORDER BY name"
OWN = {"sql": NAMES, "database": "pets"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
KEYS = """
[callers.vet]
token = "${VET}"
hide = ["owner", "pet.weight"]

[callers.admin]
token = "${ADMIN}"
"""
ENVIRON = {"VET": "the-key-of-the-vet", "ADMIN": "the-key-of-the-admin"}


def unasked(*_: object) -> str:
    raise AssertionError("the model was asked")


@asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncIterator[Running]:
    """A server whose model fails each call."""
    async with serving_api(folder, ScriptedModel(history=[], otherwise=unasked), **more) as running:
        yield running


@pytest.mark.parametrize("strategy", ["single", "paper", "adaptive"])
async def test_it_runs_without_the_model_whatever_the_server_chose(tmp_path: Path, strategy: Any) -> None:
    context = Context(seconds=60, strategy=strategy, clarify=True, min_confidence=1, after_rejection="correct_noise")
    async with serving(tmp_path, context=context) as running, running.client() as http:
        body = (await http.post("/v1/run", json={**OWN, "question": "List every name"})).json()
        assert body["state"] == "answered"
        answer = body["answer"]
        assert (answer["sql"], answer["status"], answer["rows"]) == (NAMES, "ok", [["Mia"], ["Rex"]])
        assert answer["ledger"] == [] and [each["agent"] for each in answer["candidates"]] == ["person"]
        failed = (await http.post("/v1/run", json={**OWN, "sql": "SELECT nme FROM pet"})).json()["answer"]
        assert failed["status"] == "error" and "nme" in failed["error"] and len(failed["candidates"]) == 1
        empty = (await http.post("/v1/run", json={**OWN, "sql": f"SELECT 1 FROM ({NAMES}) WHERE 0"})).json()["answer"]
        assert empty["status"] == "empty" and len(empty["candidates"]) == 1


@pytest.mark.parametrize("sql", ["DELETE FROM pet", "SELECT 1; DROP TABLE pet", "PRAGMA writable_schema = 1", "hello"])
async def test_the_guard_refuses(tmp_path: Path, sql: str) -> None:
    async with serving(tmp_path) as running, running.client() as http:
        answer = (await http.post("/v1/run", json={**OWN, "sql": sql})).json()["answer"]
        assert answer["status"] in ("refused", "error") and answer["rows"] == [] and answer["error"]
        assert (await http.post("/v1/run", json=OWN)).json()["answer"]["row_count"] == 2


async def test_it_has_the_rights_of_its_caller(tmp_path: Path) -> None:
    async with serving(tmp_path, callers=KEYS, environ=ENVIRON) as running:
        vet, admin = running.client(ENVIRON["VET"]), running.client(ENVIRON["ADMIN"])
        async with vet, admin, running.client() as nobody:
            for sql in ("SELECT phone FROM owner", "SELECT weight FROM pet", "SELECT o.* FROM pet p, owner o"):
                answer = (await vet.post("/v1/run", json={**OWN, "sql": sql})).json()["answer"]
                assert answer["status"] in ("refused", "error") and answer["rows"] == [], sql
                assert (await admin.post("/v1/run", json={**OWN, "sql": sql})).json()["answer"]["status"] == "ok"
            assert (await nobody.post("/v1/run", json=OWN)).status_code == 401
            thread = (await admin.post("/v1/run", json=OWN)).json()["thread"]
            assert (await vet.post("/v1/run", json={**OWN, "thread": thread})).status_code == 404
            assert (await vet.post("/v1/run", json={**OWN, "database": "nowhere"})).status_code == 404


async def test_it_belongs_to_its_thread_and_the_next_question_follows_it_up(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        asked = (await http.post("/v1/ask", json=ASKED)).json()
        thread = asked["thread"]
        own = (await http.post("/v1/run", json={**OWN, "thread": thread})).json()
        assert own["thread"] == thread
        follow = (await http.post("/v1/ask", json={**ASKED, "question": "And by kind?", "thread": thread})).json()
        assert any("follow-up of: Which pets are there?" in note for note in follow["answer"]["notes"])
        turns = (await http.get(f"/v1/threads/{thread}")).json()["turns"]
        assert [turn["question"] for turn in turns] == [ASKED["question"], ASKED["question"], "And by kind?"]
        assert turns[1]["answer"] == own["answer"]
        report = await http.get(f"/v1/threads/{thread}/report", params={"turn": 2})
        assert report.status_code == 200 and "ORDER BY" in report.text
        other = await http.post("/v1/run", json={**OWN, "database": "zoo", "thread": thread})
        assert other.status_code == 400 and "another database" in other.json()["error"]["message"]
        alone = (await http.post("/v1/run", json=OWN)).json()["thread"]
        assert (await http.get(f"/v1/threads/{alone}")).json()["turns"][0]["question"] == NAMES


async def test_a_stream_tells_its_story(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as http:
        events = events_in((await http.post("/v1/run", json=OWN, headers=STREAM)).text)
        assert events[0][0] == "thread" and events[-1][0] == "answer"
        assert "running the person's query" in [data["text"] for name, data in events if name == "story"]


async def test_the_servers_approval_counts_for_it_too(tmp_path: Path) -> None:
    context = Context(seconds=60, strategy="single", approve=True, after_rejection="correct_noise")
    async with serving(tmp_path, context=context) as running, running.client() as http:
        for decision, status in (({"type": "approve"}, "ok"), ({"type": "reject", "reason": "no"}, "refused")):
            body = (await http.post("/v1/run", json=OWN)).json()
            assert body["state"] == "needs_approval" and body["interrupt"]["sql"] == NAMES
            decided = (await http.post(f"/v1/threads/{body['thread']}/resume", json=decision)).json()
            assert decided["answer"]["status"] == status and decided["answer"]["ledger"] == []


async def test_its_limits_can_be_lowered_only(tmp_path: Path) -> None:
    context = Context(seconds=60, strategy="single", row_limit=10, deadline=5)
    async with serving(tmp_path, context=context) as running, running.client() as http:
        many = {**OWN, "sql": "SELECT i FROM number"}
        answer = (await http.post("/v1/run", json={**many, "options": {"row_limit": 3}})).json()["answer"]
        assert len(answer["rows"]) == 3 and answer["truncated"]
        assert len((await http.post("/v1/run", json=many)).json()["answer"]["rows"]) == 10
        slow = {**OWN, "sql": ENDLESS, "options": {"deadline": 0.3}}
        assert (await http.post("/v1/run", json=slow)).json()["answer"]["status"] == "timeout"
        for options in ({"row_limit": 11}, {"deadline": 6}, {"approve": False}, {"strategy": "single"}, {"x": 1}):
            assert (await http.post("/v1/run", json={**OWN, "options": options})).status_code == 400, options


INVALID: list[Any] = [
    {},
    {"sql": NAMES},
    {"database": "pets"},
    {**OWN, "sql": "  "},
    {**OWN, "sql": 1},
    {**OWN, "sql": "SELECT '\x00'"},
    {**OWN, "sql": "x" * 20_001},
    {**OWN, "question": " "},
    {**OWN, "thread": "mine"},
    {**OWN, "agent": "draft"},
]


async def test_what_can_not_be_run_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as http:
        for given in INVALID:
            reply = await http.post("/v1/run", json=given)
            assert reply.status_code == 400 and reply.json()["error"]["code"] == "bad_input", given
        assert (await http.post("/v1/run", content="sql=1", headers={"Content-Type": "text/plain"})).status_code == 415


async def test_the_limits_of_rate_and_of_questions_at_once_count(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=ServiceLimits(per_minute=2)) as running, running.client() as http:
        replies = [(await http.post("/v1/run", json=OWN)).status_code for _ in range(3)]
        assert replies == [200, 200, 429]
    limits = ServiceLimits(questions=1, waiting=0, per_minute=0)
    async with serving(tmp_path, limits=limits) as running, running.client() as http:
        slow = asyncio.create_task(http.post("/v1/run", json={**OWN, "sql": ENDLESS, "options": {"deadline": 2}}))
        while not running.service.slots.running:
            await asyncio.sleep(0.01)
        assert (await http.post("/v1/run", json=OWN)).status_code == 503
        assert (await slow).json()["answer"]["status"] == "timeout"


async def test_a_client_that_leaves_stops_the_query_which_can_be_continued(tmp_path: Path) -> None:
    async with serving(tmp_path) as running, running.client() as http:
        body = {**OWN, "sql": ENDLESS, "options": {"deadline": 3}}
        slow = asyncio.create_task(http.post("/v1/run", json=body))
        while not (await http.get("/v1/threads")).json()["threads"]:
            await asyncio.sleep(0.02)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        thread = (await http.get("/v1/threads")).json()["threads"][0]["thread"]
        while (await http.get(f"/v1/threads/{thread}")).json()["turns"][0]["state"] == "running":
            await asyncio.sleep(0.02)
        continued = await http.post(f"/v1/threads/{thread}/resume", json={"type": "continue"})
        assert continued.json()["answer"]["sql"] == ENDLESS and continued.json()["answer"]["status"] == "timeout"


async def test_the_audit_names_the_caller_and_the_person_as_its_agent(tmp_path: Path) -> None:
    entries: list[AuditEntry] = []
    async with serving(tmp_path, callers=KEYS, environ=ENVIRON, audit=entries.append) as running:
        async with running.client(ENVIRON["VET"]) as http:
            thread = (await http.post("/v1/run", json=OWN)).json()["thread"]
            await http.post("/v1/run", json={**OWN, "sql": "DELETE FROM pet"})
    found = [(each["who"], each["agent"], each["sql"], each["status"]) for each in entries]
    assert found == [("vet", "person", NAMES, "ok"), ("vet", "person", "DELETE FROM pet", "refused")]
    assert entries[0]["thread"] == thread and entries[0]["database"] == "pets" and entries[0]["rows"] == 2


async def test_a_question_that_waits_in_the_thread_is_given_up_for_it(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        waiting = (await http.post("/v1/ask", json={**ASKED, "options": {"approve": True}})).json()["thread"]
        own = (await http.post("/v1/run", json={**OWN, "thread": waiting})).json()
        assert own["answer"]["sql"] == NAMES and len(own["answer"]["candidates"]) == 1
        late = await http.post(f"/v1/threads/{waiting}/resume", json={"type": "approve"})
        assert late.status_code == 409
