import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import SecretStr

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.errors import ContextExceeded, RuntimeMissing, ServerRefused, ServerUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile

ENDLESS = "Count from 1 to 1000, one number a line, and do not stop."

PARENT = """
import json, sys, time
from pathlib import Path
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile

with EmbeddedServer(ModelFile(Path(sys.argv[1]), "default", Profile(context=512))) as server:
    print(json.dumps({"pid": server.pid}), flush=True)
    time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """False for a zombie too: in a container nobody may be there to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    for _ in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.model
async def test_it_answers(embedded_server: EmbeddedServer) -> None:
    reply = await embedded_server.chat_model().ainvoke("What is the capital of France? One word.")
    assert "Paris" in reply.text
    assert reply.usage_metadata is not None
    assert reply.response_metadata["model_name"] == embedded_server.served_name == "route-sql/default"


@pytest.mark.model
async def test_a_client_that_has_only_the_url_finds_name_context_and_wording(embedded_server: EmbeddedServer) -> None:
    client = ChatTGI(base_url=embedded_server.url, api_key=SecretStr(embedded_server.api_key))
    served = await client.served_model()
    assert (served.name, served.context) == ("route-sql/default", 8192)
    assert await client.find_wording() == embedded_server.model_file.profile.wording == "tuned"
    assert (await client.ainvoke("hi", max_tokens=2)).usage_metadata


@pytest.mark.model
async def test_the_second_prompt_with_a_long_beginning_is_not_computed_again(
    embedded_server: EmbeddedServer,
) -> None:
    model = embedded_server.chat_model(max_tokens=1)
    schema = SystemMessage("The table head has the columns id, name, born_state and age. " * 12)
    cached = []
    for question in ("How many heads are there?", "Who is the oldest?"):
        usage = (await model.ainvoke([schema, HumanMessage(question)])).usage_metadata
        assert usage is not None
        cached.append(usage["input_token_details"]["cache_read"])
    assert cached[0] < 40
    assert cached[1] > 150


@pytest.mark.model
async def test_requests_wait_for_their_turn_in_the_client_or_in_the_server(
    embedded_server: EmbeddedServer,
) -> None:
    for concurrency in (1, 4):
        model = embedded_server.chat_model(concurrency=concurrency, max_tokens=4)
        replies = await model.abatch([f"Say {word}." for word in ("one", "two", "three", "four")])
        assert all(reply.text for reply in replies)


@pytest.mark.model
async def test_a_prompt_beyond_the_context(embedded_server: EmbeddedServer) -> None:
    with pytest.raises(ContextExceeded) as caught:
        await embedded_server.chat_model().ainvoke("word " * 9000)
    assert caught.value.context == 8192
    assert caught.value.prompt_tokens is not None and caught.value.prompt_tokens > 9000


@pytest.mark.model
async def test_without_its_key_it_refuses(embedded_server: EmbeddedServer) -> None:
    with pytest.raises(ServerRefused, match="API key"):
        await embedded_server.chat_model(api_key="guessed").ainvoke("hi")


@pytest.mark.model
async def test_a_cancelled_request_frees_the_slot(embedded_server: EmbeddedServer) -> None:
    model = embedded_server.chat_model(timeout=60.0, max_retries=0)
    stream = model.astream(ENDLESS, max_tokens=4000)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    # 4000 tokens would keep the only slot for longer than the timeout.
    assert (await model.ainvoke("Say hi.", max_tokens=4)).text


@pytest.mark.model
async def test_a_server_that_dies_in_the_middle_is_told_soon(model_file: ModelFile) -> None:
    async with EmbeddedServer(model_file) as server:
        call = asyncio.create_task(server.chat_model().ainvoke(ENDLESS, max_tokens=4000))
        await asyncio.sleep(0.5)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ServerUnavailable, match=server.url):
            await call
        assert not server.alive


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_when_the_parent_dies(model_file: ModelFile, death: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(model_file.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child = json.loads(parent.stdout.readline())["pid"]
        assert is_running(child)
        parent.send_signal(death)
    assert ends(child)


@pytest.mark.model
async def test_a_cancelled_start_leaves_no_process(model_file: ModelFile) -> None:
    server = EmbeddedServer(model_file)
    starting = asyncio.create_task(server.__aenter__())
    while server.pid is None:
        await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not server.alive


class LoadsForLong(EmbeddedServer):
    program = ("-c", "import time; time.sleep(20)")


async def test_a_start_that_is_cancelled_while_the_model_loads_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    server = LoadsForLong(ModelFile(path, "model", Profile()), log_dir=tmp_path / "logs")
    starting = asyncio.create_task(server.__aenter__())
    while server.pid is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # now it waits for the child's address
    began = time.monotonic()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not server.alive and time.monotonic() - began < 10


def test_a_file_that_only_looks_like_a_model_shows_the_log(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    server = EmbeddedServer(ModelFile(broken, "broken", Profile()), log_dir=tmp_path / "logs")
    with pytest.raises(ServerUnavailable, match="did not start") as caught, server:
        pass
    assert "Failed to init server" in str(caught.value)
    assert not server.alive


@pytest.mark.parametrize(
    ("content", "profile", "reason"),
    [
        (b"<html>", Profile(), "not a GGUF"),
        (b"GGUF", Profile(context=10**12), "memory"),
        (b"GGUF", Profile(adapter="/nowhere/adapter.gguf"), "can't be read"),
    ],
)
def test_what_can_be_known_before_is_said_before(tmp_path: Path, content: bytes, profile: Profile, reason: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content + bytes(1_000_000))
    with pytest.raises(RuntimeMissing, match=reason):
        EmbeddedServer(ModelFile(path, "model", profile)).start()


def test_a_missing_file(tmp_path: Path) -> None:
    server = EmbeddedServer(ModelFile(tmp_path / "gone.gguf", "gone", Profile()))
    with pytest.raises(RuntimeMissing, match="gone.gguf"):
        server.start()


@pytest.mark.model
def test_its_figures_are_prometheus_text_behind_the_key(embedded_server: EmbeddedServer) -> None:
    url = f"{embedded_server.url}/metrics"
    key = {"Authorization": f"Bearer {embedded_server.api_key}"}
    assert "llamacpp:requests_processing" in httpx2.get(url, headers=key).text
    assert httpx2.get(url).status_code == 401
