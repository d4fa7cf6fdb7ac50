"""LangGraph's development server opens the graph offline, and a run over HTTP streams every node."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import BadRequestError
from support.calibration_files import CONFIDENCE, write_calibration
from support.chat_stub import ChatStub, completion, streamed
from support.langgraph_dev import wait_until_ready

ROOT = Path(__file__).parent.parent.parent
NAMES = "SELECT name FROM pet"
QUESTION = {"question": "Which pets are there?", "database": "pets"}
YES = {"type": "approve"}
APPROVED: list[Any] = [True, YES, {"decisions": [YES]}]
REFUSED: list[Any] = [{"type": "reject"}, {"decisions": [{"type": "reject", "message": "no"}]}]
WRONG: list[Any] = [
    False,
    "yes",
    1,
    {"approve": True},
    [YES],
    {"type": "Approve"},
    {**YES, "more": 1},
    {"type": "edit"},
]


@pytest.fixture
def server(tmp_path: Path, stub: ChatStub) -> Iterator[str]:
    with closing(sqlite3.connect(tmp_path / "pets.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE pet (name TEXT, kind TEXT); INSERT INTO pet VALUES ('Rex', 'dog'), ('Mia', 'cat');"
            "CREATE TABLE owner (name TEXT); INSERT INTO owner VALUES ('Ida');"
        )
    catalog = tmp_path / "databases.toml"
    catalog.write_text('[databases.pets]\nurl = "sqlite:///pets.sqlite"\n')
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {
        "ROUTE_SQL_MODEL": stub.url,
        "ROUTE_SQL_DATABASES": str(catalog),
        "ROUTE_SQL_CALIBRATION": str(write_calibration(tmp_path)),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGSMITH_TRACING": "false",
    }
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, process, tmp_path / "log")
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


async def test_a_run_over_http_streams_every_node(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        context = {"strategy": "single"}

        stub.enqueue(completion(NAMES))
        parts = [
            part
            async for part in client.runs.stream(
                None, "route_sql", input=QUESTION, context=context, stream_mode=["updates", "custom"]
            )
        ]
        updates: dict[str, Any] = {}
        for part in parts:
            updates |= part.data if part.event == "updates" else {}
        assert list(updates) == ["ground", "generate", "execute", "answer"]
        assert updates["generate"]["sql"] == NAMES
        assert [each["sql"] for each in updates["execute"]["candidates"]] == [NAMES]
        assert (updates["answer"]["calibrated"], updates["answer"]["confidence"]) == (True, CONFIDENCE)
        reported: list[Any] = [part.data for part in parts if part.event == "custom"]
        assert reported[0]["text"] == "reading the database" and reported[-1]["kind"] == "answer"

        stub.enqueue(streamed("SELECT name", " FROM pet"))
        tokens = [
            part.data[0]["content"]
            async for part in client.runs.stream(
                None, "route_sql", input=QUESTION, context=context, stream_mode="messages-tuple"
            )
            if part.event == "messages"
        ]
        assert "".join(tokens) == NAMES and len(tokens) > 1

        assistant = (await client.assistants.search(graph_id="route_sql"))[0]
        schemas = await client.assistants.get_schemas(assistant["assistant_id"])
        assert set(schemas["input_schema"]["required"]) == {"question", "database"}  # type: ignore[index]


async def test_a_chat_over_http_understands_a_follow_up(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        stub.enqueue(completion(NAMES), completion("SELECT kind FROM pet"))
        for text in ("Which pets are there?", "And their kinds?"):
            given: Any = {"messages": [{"role": "user", "content": text}]}
            ended: Any = await client.runs.wait(thread, "route_sql_chat", input=given, context={"strategy": "single"})
        assert "dog" in ended["messages"][-1]["content"] and len(ended["messages"]) == 4
        assert "Earlier question: Which pets are there?" in str(stub.bodies[-1]["messages"][-1]["content"])


async def test_a_thread_is_edited_and_run_again_over_http(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        stub.enqueue(completion(NAMES))
        await client.runs.wait(thread, "route_sql", input=QUESTION, context={"strategy": "single"})
        history: Any = await client.threads.get_history(thread, limit=20)
        begun = [each for each in history if each["values"].get("choices")]
        assert [each["next"] for each in begun] == [[], ["answer"], ["execute"], ["generate"]]
        for snapshot in begun:
            for node in ("ground", "generate", "execute"):
                proposal = {"agent": "generate", "sql": f"{NAMES} LIMIT 1"} if node == "generate" else None
                await client.threads.update_state(
                    thread, {"proposal": proposal}, as_node=node, checkpoint_id=snapshot["checkpoint"]["checkpoint_id"]
                )
                if node == "ground":
                    stub.enqueue(completion(NAMES))
                answer: Any = await client.runs.wait(thread, "route_sql", input=None)
                assert "__error__" not in answer, (snapshot["next"], node)
                if node == "generate":
                    assert answer["candidates"][-1]["sql"] == f"{NAMES} LIMIT 1"
        assert not stub.replies


NONSENSE: list[tuple[str, dict[str, Any], str]] = [
    ("ground", {"choices": None}, "choices"),
    ("ground", {"question": None}, "question"),
    ("generate", {"proposal": {"agent": "generate"}}, "proposal.sql"),
    ("generate", {"ledger": {"begin": [{"node": 3}]}}, "ledger[0].node"),
    ("execute", {"attempts": [{"agent": "draft", "sql": "SELECT 1"}]}, "attempts[1].outcome"),
    ("execute", {"rows": "Rex"}, "rows"),
    ("execute", {"spent": None}, "spent"),
]
"""The node as which a state is edited, the edit, and the place that the error names."""


async def test_nonsense_in_an_edited_thread_is_named_over_http(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        stub.enqueue(completion(NAMES))
        await client.runs.wait(thread, "route_sql", input=QUESTION, context={"strategy": "single"})
        history: Any = await client.threads.get_history(thread, limit=20)
        before = next(each for each in history if each["next"] == ["answer"])
        for node, update, place in NONSENSE:
            try:
                at = before["checkpoint"]["checkpoint_id"]
                await client.threads.update_state(thread, update, as_node=node, checkpoint_id=at)
                ended: Any = await client.runs.wait(thread, "route_sql", input=None, raise_error=False)
                assert ended["__error__"]["error"] == "InvalidInput", update
                message = ended["__error__"]["message"]
            except BadRequestError as error:
                message = str(error)
            assert place in message and len(message) < 600, update


async def test_a_query_is_approved_over_http(server: str, stub: ChatStub) -> None:
    answers = [*((each, "refused") for each in REFUSED), *((each, "ok") for each in APPROVED)]
    async with get_client(url=server) as client:
        for (value, status), hidden in product(answers, ([], ["pet.kind"])):
            thread = (await client.threads.create())["thread_id"]
            stub.enqueue(completion("SELECT * FROM pet"))
            context = {"strategy": "single", "approve": True, "hide": hidden}
            paused: Any = await client.runs.wait(thread, "route_sql", input=QUESTION, context=context)
            assert [each["value"]["approve"] for each in paused["__interrupt__"]] == ["SELECT * FROM pet"]
            assert not paused.get("rows")
            answer: Any = await client.runs.wait(thread, "route_sql", command={"resume": value})
            assert answer["status"] == status, value
            shown = ["name"] if hidden else ["name", "kind"]
            assert answer["columns"] == (shown if status == "ok" else [])


async def test_what_a_resume_has_narrowed_lasts_over_http(server: str, stub: ChatStub) -> None:
    narrower: Any = {"approve": True, "hide": ["pet.kind"]}
    async with get_client(url=server) as client:
        for value, status in ((YES, "ok"), ({"type": "reject"}, "refused")):
            thread = (await client.threads.create())["thread_id"]
            stub.enqueue(completion("SELECT * FROM pet"))
            asked: Any = {"input": QUESTION, "context": {"strategy": "single"}, "interrupt_before": ["execute"]}
            await client.runs.wait(thread, "route_sql", **asked)
            paused: Any = await client.runs.wait(thread, "route_sql", input=None, context=narrower)
            assert paused["__interrupt__"], "only the context of the resume wants approval"
            answer: Any = await client.runs.wait(thread, "route_sql", command={"resume": value})
            assert (answer["status"], answer["columns"]) == (status, ["name"] if status == "ok" else [])


async def test_an_assistant_of_each_strategy_is_ready(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        ready = {each["name"]: each for each in await client.assistants.search(graph_id="route_sql")}
        assert {"adaptive", "paper", "single"} <= ready.keys()
        assert all(ready[name]["description"] for name in ("adaptive", "paper", "single"))
        for name, nodes in (
            ("single", ["ground", "generate", "execute", "answer"]),
            ("adaptive", ["ground", "draft", "execute", "generate", "execute", "answer"]),
        ):
            stub.enqueue(*[completion(NAMES)] * (len(nodes) // 2 - 1))
            parts = client.runs.stream(None, ready[name]["assistant_id"], input=QUESTION, stream_mode="updates")
            assert [node async for part in parts if part.event == "updates" for node in part.data] == nodes


async def test_the_form_and_the_nodes_are_described(server: str) -> None:
    async with get_client(url=server) as client:
        assistant = (await client.assistants.search(graph_id="route_sql"))[0]["assistant_id"]
        schemas: Any = await client.assistants.get_schemas(assistant)
        form = schemas["input_schema"]["properties"]
        assert form["database"]["enum"] == ["pets"]
        assert all(each["description"] for each in [*form.values(), *schemas["context_schema"]["properties"].values()])
        drawn: Any = await client.assistants.get_graph(assistant)
        nodes = {each["id"]: each for each in drawn["nodes"] if not each["id"].startswith("__")}
        assert len(nodes) == 11
        assert nodes["draft"]["metadata"]["description"].startswith("Ask the generator on the full schema")
        assert all(each["metadata"]["description"].endswith((".", ":")) for each in nodes.values())


async def test_prompts_and_replies_are_read_in_the_thread(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        stub.enqueue(completion(NAMES))
        await client.runs.wait(
            thread, "route_sql", input=QUESTION, context={"strategy": "single", "keep_prompts": True}
        )
        state: Any = await client.threads.get_state(thread)
        (kept,) = state["values"]["exchanges"]
        assert (kept["node"], kept["reply"]) == ("generate", NAMES)
        assert (kept["messages"][0]["role"], kept["messages"][-1]["role"]) == ("system", "human")
        assert "Which pets are there?" in kept["messages"][-1]["content"]


def test_the_configuration_is_valid() -> None:
    command = [sys.executable, "-m", "langgraph_cli", "validate"]
    environment = os.environ | {"LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads((ROOT / "langgraph.json").read_text())["$schema"].startswith("https://")


async def test_the_form_of_an_approval_over_http(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        stub.enqueue(completion("SELECT * FROM pet"))
        context: Any = {"strategy": "single", "approve": True}
        paused: Any = await client.runs.wait(thread, "route_sql", input=QUESTION, context=context)
        form = paused["__interrupt__"][0]["response_schema"]
        assert form["properties"]["type"]["enum"] == ["approve", "edit", "reject"]
        for value in WRONG:
            refused: Any = await client.runs.wait(thread, "route_sql", command={"resume": value}, raise_error=False)
            assert "'type': 'edit', 'sql'" in refused["__error__"]["message"], value
            state: Any = await client.threads.get_state(thread)
            assert state["next"] == ["execute"] and state["tasks"][0]["interrupts"], value
        edited: Any = {"type": "edit", "sql": NAMES, "reason": ""}
        answer: Any = await client.runs.wait(thread, "route_sql", command={"resume": edited})
        assert (answer["columns"], answer["candidates"][0]["agent"]) == (["name"], "person")


async def test_an_unclear_question_is_asked_back_over_http(server: str, stub: ChatStub) -> None:
    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        asked = {"question": "What are the names?", "database": "pets"}
        context: Any = {"strategy": "single", "clarify": True}
        paused: Any = await client.runs.wait(thread, "route_sql", input=asked, context=context)
        (waiting,) = paused["__interrupt__"]
        assert waiting["value"]["readings"] == ["owner.name", "pet.name"]
        assert waiting["response_schema"]["properties"]["reading"]["anyOf"][0]["enum"] == ["owner.name", "pet.name"]
        wrong: Any = await client.runs.wait(thread, "route_sql", command={"resume": "pet.kind"}, raise_error=False)
        assert "{'reading': '...'}" in wrong["__error__"]["message"]
        stub.enqueue(completion(NAMES))
        answer: Any = await client.runs.wait(thread, "route_sql", command={"resume": {"reading": "pet.name"}})
        assert answer["status"] == "ok" and "refers to pet.name" in stub.bodies[-1]["messages"][-1]["content"]
