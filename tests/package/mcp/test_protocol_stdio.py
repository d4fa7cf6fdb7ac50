"""`route-sql mcp` over standard input and output, started and used as an assistant does."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from support.calibration_files import CONFIDENCE, write_calibration
from support.chat_stub import ChatStub, completion, hanging
from support.documented import ROOT
from support.protocol_databases import PETS, make_databases, served
from typer.main import get_command
from typer.testing import CliRunner

from route_sql.cli import app
from route_sql.tools.errors import InvalidInput

NO_MODEL = "http://127.0.0.1:9"
MODES = ("auto", "legacy")
ASKED = {"question": "Which pets are there?", "database": "zoo"}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return make_databases(tmp_path)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


async def left_waiting(client: Client, stub: ChatStub) -> None:
    """Ask, and give up once the model has the question and does not answer."""
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "ask", ASKED)
        with anyio.fail_after(60):
            while not stub.bodies:
                await anyio.sleep(0.05)
        group.cancel_scope.cancel()


HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "terminal", "version": "1"}}


def test_ctrl_c_ends_it_though_it_waits_for_input(catalog: Path) -> None:
    started = served(catalog, NO_MODEL)
    with subprocess.Popen(
        [started.command, *started.args],
        env={**os.environ, **(started.env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin and process.stdout and process.stderr
            print(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}), file=process.stdin)
            process.stdin.flush()
            assert "route-sql" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize("mode", MODES)
async def test_all_tools_and_the_progress_of_a_question(catalog: Path, stub: ChatStub, mode: Any) -> None:
    stub.enqueue(completion(f"```sql\n{PETS}\n```"))
    reported: list[tuple[float, str]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, message or ""))

    calibrated = served(catalog, stub.url, "--calibration", str(write_calibration(catalog.parent)))
    async with Client(calibrated, mode=mode) as client:
        result = await client.call_tool("ask", ASKED, progress_callback=tell)
        assert (await call(client, "check", sql=PETS, database="pets"))["allowed"]
        assert (await call(client, "execute", sql=PETS, database="pets"))["rows"][0] == ["Rex", "dog"]
        assert "phone" in (await call(client, "schema", database="pets"))["schema"]
        assert (await client.read_resource("schema://zoo")).contents
    answer = result.structured_content
    assert answer and answer["status"] == "ok" and answer["rows"] == [["Rex", "lion"], ["Mia", "cat"]]
    assert answer["sql"] == PETS and answer["confidence"] == CONFIDENCE and answer["error"] is None
    assert "Rex | lion" in str(result.content)
    numbers = [number for number, _ in reported]
    assert numbers == sorted(set(numbers))
    assert {line.partition(":")[0] for _, line in reported} >= {"ground", "generate", "execute", "answer"}


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_question_hangs_up_on_the_model_and_the_server_lives(
    catalog: Path, stub: ChatStub, mode: Any
) -> None:
    stub.enqueue(hanging)
    async with Client(served(catalog, stub.url), mode=mode) as client:
        await left_waiting(client, stub)
        assert await anyio.to_thread.run_sync(stub.hung_up.wait, 20)
        assert (await call(client, "check", sql=PETS, database="pets"))["allowed"]


async def test_a_client_that_leaves_in_the_middle_frees_the_model(catalog: Path, stub: ChatStub) -> None:
    stub.enqueue(hanging)
    async with anyio.create_task_group() as group:
        group.start_soon(_leave, catalog, stub)
    assert await anyio.to_thread.run_sync(stub.hung_up.wait, 20)


async def _leave(catalog: Path, stub: ChatStub) -> None:
    """Ask, and close the connection while the question is still open."""
    with anyio.CancelScope() as scope:
        async with Client(served(catalog, stub.url)) as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "ask", ASKED)
            while not stub.bodies:
                await anyio.sleep(0.05)
            scope.cancel()


async def test_two_clients_at_once(catalog: Path) -> None:
    async with Client(served(catalog, NO_MODEL)) as one, Client(served(catalog, NO_MODEL, "--db", "zoo")) as other:
        assert (await call(one, "execute", sql=PETS, database="pets"))["rows"][0] == ["Rex", "dog"]
        assert (await call(other, "execute", sql=PETS, database="zoo"))["rows"][0] == ["Rex", "lion"]
        assert (await other.call_tool("execute", {"sql": PETS, "database": "pets"})).is_error


def test_without_a_database_the_command_says_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["mcp"], env={"ROUTE_SQL_DATABASES": str(tmp_path / "none.toml")})
    assert isinstance(done.exception, InvalidInput) and "--db" in str(done.exception)


CONFIGURATIONS = re.findall(
    r"^```json\n(.*?)^```$", (ROOT / "docs" / "assistants.md").read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_the_command_of_each_documented_configuration_is_read(text: str) -> None:
    servers: Any = [*json.loads(text).values()][0]
    command = servers["databases"]
    assert command["command"] == "route-sql" and {*command.get("env", {})} <= {"ROUTE_SQL_DATABASES"}
    name, *options = command["args"]
    leaf = get_command(app).commands[name]  # type: ignore[attr-defined]
    leaf.make_context(name, options)


def test_three_clients_are_documented() -> None:
    assert len(CONFIGURATIONS) == 3


def test_without_the_sdk_the_command_says_what_to_install() -> None:
    without = "import sys; sys.modules['mcp'] = None; from route_sql.cli import main; main(['mcp', '--db', 'x'])"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert done.returncode == 2 and "route-sql[mcp]" in done.stderr
