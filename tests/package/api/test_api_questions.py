"""Questions over HTTP: as JSON, as a stream, in threads, and with a person's answers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.api_app import APPROVING, ASKED, STREAM, events_in, hanging, serving_api
from support.protocol_databases import PETS

from route_sql import Context
from route_sql.api.service import ServiceLimits
from route_sql.testing import ScriptedModel


async def test_a_question_is_answered_as_json_with_the_whole_answer(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        reply = await http.post("/v1/ask", json=ASKED, headers={"X-Request-ID": "my-id.1"})
        body = reply.json()
        assert reply.status_code == 200 and body["request_id"] == reply.headers["x-request-id"] == "my-id.1"
        assert body["state"] == "answered" and body["interrupt"] is None
        answer = body["answer"]
        assert answer["sql"] == PETS and answer["rows"] == [["Rex", "dog"], ["Mia", "cat"]]
        assert {*answer} >= {"confidence", "calibrated", "doubts", "notes", "candidates", "ledger", "truncated"}


async def test_a_stream_tells_the_thread_the_story_and_the_answer_in_this_order(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        reply = await http.post("/v1/ask", json=ASKED, headers=STREAM)
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = events_in(reply.text)
        names = [name for name, _ in events]
        assert names[0] == "thread" and names[-1] == "answer" and {*names[1:-1]} == {"story"}
        assert {*events[1][1]} == {"kind", "node", "text", "sql", "seconds"}
        assert events[-1][1]["answer"]["row_count"] == 2 and events[-1][1]["thread"] == events[0][1]["thread"]
        kept = (await http.get(f"/v1/threads/{events[0][1]['thread']}")).json()
        assert kept["turns"][0]["answer"] == events[-1][1]["answer"]


async def test_a_follow_up_is_read_with_the_question_before(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        first = (await http.post("/v1/ask", json=ASKED)).json()
        again = {**ASKED, "question": "And by kind?", "thread": first["thread"]}
        second = (await http.post("/v1/ask", json=again)).json()
        assert second["thread"] == first["thread"]
        assert any("follow-up" in note for note in second["answer"]["notes"])
        other = await http.post("/v1/ask", json={**again, "database": "zoo"})
        assert other.status_code == 400 and "another database" in other.json()["error"]["message"]
        turns = (await http.get(f"/v1/threads/{first['thread']}")).json()["turns"]
        assert [turn["question"] for turn in turns] == [ASKED["question"], "And by kind?"]


@pytest.mark.parametrize(
    ("decision", "status", "sql"),
    [
        ({"type": "approve"}, "ok", PETS),
        ({"type": "edit", "sql": "SELECT name FROM pet"}, "ok", "SELECT name FROM pet"),
        ({"type": "edit", "sql": "DELETE FROM pet"}, "refused", None),
        ({"type": "reject", "reason": "not mine"}, "refused", None),
    ],
)
async def test_a_person_decides_about_the_query(tmp_path: Path, decision: Any, status: str, sql: str | None) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        asked = (await http.post("/v1/ask", json=APPROVING)).json()
        assert asked["state"] == "needs_approval" and asked["answer"] is None
        shown = asked["interrupt"]
        assert shown == {"id": shown["id"], "kind": "approve", "sql": PETS, "database": "pets"}
        thread = f"/v1/threads/{asked['thread']}"
        waiting = (await http.get(thread)).json()["turns"][0]
        assert waiting["state"] == "needs_approval" and waiting["interrupt"] == asked["interrupt"]
        decided = (await http.post(f"{thread}/resume", json=decision)).json()
        assert decided["state"] == "answered" and decided["answer"]["status"] == status
        assert sql is None or decided["answer"]["sql"] == sql
        assert (await http.post(f"{thread}/resume", json=decision)).status_code == 409


INVALID: list[Any] = [
    {},
    [],
    "approve",
    True,
    {"type": "yes"},
    {"type": "approve", "sql": "SELECT 1"},
    {"type": "edit"},
    {"type": "edit", "sql": " "},
    {"type": "edit", "sql": 1},
    {"type": "continue"},
    {"choice": "approve"},
    {"evidence": "yes"},
    {"type": "approve", "choice": "x"},
]


async def test_an_invalid_decision_names_the_forms_and_the_run_still_waits(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        asked = (await http.post("/v1/ask", json=APPROVING)).json()
        resume = f"/v1/threads/{asked['thread']}/resume"
        for given in INVALID:
            reply = await http.post(resume, json=given)
            assert reply.status_code == 400 and '"approve"' in reply.json()["error"]["message"], given
        decided = await http.post(resume, json={"type": "approve"}, headers=STREAM)
        assert events_in(decided.text)[-1][0] == "answer"


async def test_a_decision_that_is_given_twice_is_no_consent(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=APPROVING)).json()["thread"]
        both = b'{"type": "reject", "type": "approve"}'
        json_kind = {"Content-Type": "application/json"}
        reply = await http.post(f"/v1/threads/{thread}/resume", content=both, headers=json_kind)
        assert reply.status_code == 400 and "type twice" in reply.json()["error"]["message"]
        assert (await http.get(f"/v1/threads/{thread}")).json()["turns"][0]["state"] == "needs_approval"


async def test_a_decision_holds_for_the_query_that_the_person_saw(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        first = (await http.post("/v1/ask", json=APPROVING)).json()
        place = f"/v1/threads/{first['thread']}"
        second = (await http.post("/v1/ask", json={**APPROVING, "thread": first["thread"]})).json()
        assert [first["turn"], second["turn"]] == [1, 2]
        seen = {"interrupt": first["interrupt"]["id"]}
        for late in ({"type": "approve"}, {"type": "edit", "sql": PETS}, {"type": "reject"}, {"choice": "pet.name"}):
            reply = await http.post(f"{place}/resume", json={**late, **seen})
            assert reply.status_code in (400, 409), late
        late_continue = await http.post(f"{place}/resume", json={"type": "continue", "turn": 1})
        assert late_continue.status_code == 409 and "came in between" in late_continue.text
        turns = (await http.get(place)).json()["turns"]
        assert turns[1]["state"] == "needs_approval" and turns[1]["interrupt"] == second["interrupt"]
        approving = {"type": "approve", "interrupt": second["interrupt"]["id"]}
        decided = (await http.post(f"{place}/resume", json=approving)).json()
        assert decided["state"] == "answered" and decided["turn"] == 2


async def test_the_server_that_wants_approval_gets_it_whatever_the_caller_says(tmp_path: Path) -> None:
    context = Context(seconds=60, strategy="single", approve=True)
    async with serving_api(tmp_path, context=context) as running, running.client() as http:
        asked = (await http.post("/v1/ask", json={**ASKED, "options": {"approve": False}})).json()
        assert asked["state"] == "needs_approval"


async def test_an_unclear_word_is_asked_about(tmp_path: Path) -> None:
    unclear = {"question": "List every name", "database": "pets", "options": {"clarify": True}}
    async with serving_api(tmp_path) as running, running.client() as http:
        asked = events_in((await http.post("/v1/ask", json=unclear, headers=STREAM)).text)[-1]
        assert asked[0] == "interrupt" and asked[1]["state"] == "needs_choice"
        waits = asked[1]["interrupt"]
        assert waits["kind"] == "clarify" and len(waits["choices"]) == 2 and waits["question"]
        resume = f"/v1/threads/{asked[1]['thread']}/resume"
        for wrong in ({"choice": "no such thing"}, {"type": "approve"}, {"evidence": " "}):
            assert (await http.post(resume, json=wrong)).status_code == 400
        answered = (await http.post(resume, json={"choice": waits["choices"][0]})).json()
        assert answered["state"] == "answered" and any(waits["choices"][0] in n for n in answered["answer"]["notes"])


async def test_a_client_that_leaves_stops_its_run_which_can_be_continued(tmp_path: Path) -> None:
    for headers in ({}, STREAM):
        model = hanging()
        async with serving_api(tmp_path, model) as running, running.client() as http, running.client() as other:
            leaving = asyncio.create_task(http.post("/v1/ask", json=ASKED, headers=headers))
            await asyncio.wait_for(model.asked.wait(), 20)
            thread = (await other.get("/v1/threads")).json()["threads"][0]
            assert thread["state"] == "running"
            leaving.cancel()
            await asyncio.wait_for(model.stopped.wait(), 20)
            model.released.set()
            place = f"/v1/threads/{thread['thread']}"
            while (state := (await other.get(place)).json()["turns"][0]["state"]) == "running":
                await asyncio.sleep(0.02)
            assert state == "stopped" and running.service.slots.running == 0
            continued = (await other.post(f"{place}/resume", json={"type": "continue"})).json()
            assert continued["state"] == "answered" and continued["answer"]["sql"] == PETS


async def test_one_run_at_a_time_in_a_thread(tmp_path: Path) -> None:
    model = hanging()
    async with serving_api(tmp_path, model) as running, running.client() as http:
        first = asyncio.create_task(http.post("/v1/ask", json=ASKED))
        await asyncio.wait_for(model.asked.wait(), 20)
        thread = (await http.get("/v1/threads")).json()["threads"][0]["thread"]
        busy = [
            await http.post("/v1/ask", json={**ASKED, "thread": thread}),
            await http.post(f"/v1/threads/{thread}/resume", json={"type": "continue"}),
            await http.delete(f"/v1/threads/{thread}"),
        ]
        assert [reply.status_code for reply in busy] == [409] * 3
        model.released.set()
        assert (await first).json()["state"] == "answered"
        assert (await http.post("/v1/ask", json={**ASKED, "thread": thread})).status_code == 200


async def test_a_question_given_up_for_another_is_not_resumed_in_its_place(tmp_path: Path) -> None:
    model = hanging()
    model.released.set()
    async with serving_api(tmp_path, model) as running, running.client() as http:
        waiting = (await http.post("/v1/ask", json=APPROVING)).json()["thread"]
        running.service.slots.at_once = 0  # the next question waits for a slot and leaves before its run begins
        again = {**ASKED, "thread": waiting}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(http.post("/v1/ask", json=again), 0.5)
        running.service.slots.at_once = 1
        place = f"/v1/threads/{waiting}"
        while (turns := (await http.get(place)).json()["turns"])[1]["state"] == "running":
            await asyncio.sleep(0.02)
        assert [turn["state"] for turn in turns] == ["stopped", "stopped"] and turns[1]["interrupt"] is None
        assert (await http.post(f"{place}/resume", json={"type": "approve"})).status_code == 409
        assert (await http.post(f"{place}/resume", json={"type": "continue"})).json()["state"] == "answered"
        assert [turn["state"] for turn in (await http.get(place)).json()["turns"]] == ["stopped", "answered"]


async def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    model = hanging()
    # Three seconds of the budget of a minute: on a busy machine the model is asked after half a second only.
    limits = ServiceLimits(per_minute=0, margin=-57.0)
    async with serving_api(tmp_path, model, limits=limits) as running, running.client() as http:
        reply = await http.post("/v1/ask", json=ASKED)
        assert reply.status_code == 503 and "too long" in reply.json()["error"]["message"]
        assert model.asked.is_set() and model.stopped.is_set() and reply.headers["retry-after"]


async def test_a_model_that_fails_is_an_error_without_its_words(tmp_path: Path) -> None:
    def failing(*_: object) -> str:
        raise RuntimeError("secret row 555-0100")

    model = ScriptedModel(history=[], otherwise=failing)
    async with serving_api(tmp_path, model) as running, running.client() as http:
        reply = await http.post("/v1/ask", json=ASKED)
        assert reply.status_code == 500 and reply.json()["error"]["code"] == "internal" and "555" not in reply.text
        reported = events_in((await http.post("/v1/ask", json=ASKED, headers=STREAM)).text)
        assert (
            reported[-1][0] == "error" and reported[-1][1]["error"]["code"] == "internal" and "555" not in str(reported)
        )
        assert isinstance(running.seen[-1].failure, RuntimeError)


async def test_a_stream_that_is_silent_has_a_comment_now_and_then(tmp_path: Path) -> None:
    model = hanging()
    limits = ServiceLimits(per_minute=0, ping=0.05)
    async with (
        serving_api(tmp_path, model, limits=limits) as running,
        running.client() as http,
        http.stream("POST", "/v1/ask", json=ASKED, headers=STREAM) as reply,
    ):
        lines = []
        async for line in reply.aiter_lines():
            lines.append(line)
            if line == ": ping":
                model.released.set()
    assert ": ping" in lines and events_in("\n".join(lines) + "\n")[-1][0] == "answer"


SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999999) SELECT COUNT(*) FROM n"


async def test_a_decision_that_was_given_is_not_asked_for_again_when_its_run_was_stopped(tmp_path: Path) -> None:
    asks = {**ASKED, "options": {"approve": True, "deadline": 3}}
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=asks)).json()["thread"]
        place = f"/v1/threads/{thread}"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(http.post(f"{place}/resume", json={"type": "edit", "sql": SLOW}), 1)
        while (turn := (await http.get(place)).json()["turns"][0])["state"] == "running":
            await asyncio.sleep(0.02)
        assert turn["state"] == "stopped" and turn["interrupt"] is None
    async with serving_api(tmp_path) as running, running.client() as http:
        for late in ({"type": "reject"}, {"type": "approve"}, {"type": "edit", "sql": PETS}):
            assert (await http.post(f"{place}/resume", json=late)).status_code == 409
        continued = (await http.post(f"{place}/resume", json={"type": "continue"})).json()
        assert continued["answer"]["sql"] == SLOW and continued["answer"]["status"] == "timeout"
        assert (await http.get(place)).json()["turns"][0]["state"] == "answered"
