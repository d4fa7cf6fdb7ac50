"""The examples of threads and faces run: on the demo clinic, with a model server that replies from a script."""

import asyncio
import json
import runpy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen
from wsgiref.simple_server import make_server

import pytest
from langchain_core.messages import ToolMessage
from support.chat_stub import ChatStub, completion
from support.example_programs import load_example
from support.tool_caller import ToolCaller

from route_sql import Catalog, Context, build_graph, open_default
from route_sql.demo.database import build_demo_database
from route_sql.testing import ScriptedModel

EXAMPLES = Path(__file__).parent.parent / "examples"
CANCELLED = "SELECT COUNT(*) FROM appointment WHERE status = 'Cancelled'"
MONTHS = "SELECT strftime('%Y-%m', starts_at), COUNT(*) FROM appointment GROUP BY 1"
DOCTORS = "SELECT COUNT(*) FROM doctor"
SINGLE = Context(strategy="single")


@pytest.fixture(autouse=True)
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: ChatStub) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTE_SQL_MODEL", stub.url)
    return build_demo_database(Path(".demo/clinic.sqlite"))


@pytest.fixture
def ask_again(stub: ChatStub) -> Iterator[Callable[[str], None]]:
    """The same SQL as often as it is asked for; the replies that are left are taken away."""

    def reply(sql: str) -> None:
        stub.enqueue(*[completion(sql)] * 40)

    yield reply
    stub.replies.clear()


def test_follow_up_questions(stub: ChatStub, clinic: Path) -> None:
    stub.enqueue(completion(CANCELLED), completion(MONTHS), completion(DOCTORS))
    answers = load_example("follow_up_questions").dialogue(clinic, SINGLE)
    prompts = [str(body["messages"][-1]["content"]) for body in stub.bodies]
    assert ["Earlier question" in prompt for prompt in prompts] == [False, True, False]
    assert [answer["status"] for answer in answers] == ["ok", "ok", "ok"]


def test_synchronous_script(clinic: Path) -> None:
    catalog, name = Catalog.from_url(clinic)
    with catalog:
        graph = build_graph(ScriptedModel(history=[], otherwise=lambda *_: DOCTORS), catalog)
        first, nodes, *several = load_example("synchronous_script").asked(graph, name)
    assert nodes.startswith("ground draft execute") and nodes.endswith("answer")
    assert several == [first, first]


@pytest.mark.parametrize("in_a_loop", [True, False])
def test_in_a_notebook(ask_again: Callable[[str], None], capsys: pytest.CaptureFixture[str], in_a_loop: bool) -> None:
    ask_again(CANCELLED)

    async def cell() -> None:
        runpy.run_path(str(EXAMPLES / "in_a_notebook.py"))

    if in_a_loop:
        asyncio.run(cell())
    else:
        runpy.run_path(str(EXAMPLES / "in_a_notebook.py"))
    assert capsys.readouterr().out.count(CANCELLED) == 1


def test_web_server_with_threads(ask_again: Callable[[str], None], clinic: Path) -> None:
    ask_again(DOCTORS)
    example = load_example("web_server_with_threads")
    with open_default(clinic, context=SINGLE) as database:
        with make_server("127.0.0.1", 0, example.application(database), example.Threads) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}/?q={quote('How many doctors are there?')}"

            def get(_: int) -> Any:
                with urlopen(url, timeout=60) as response:
                    return json.loads(response.read())

            with ThreadPoolExecutor(6) as pool:
                bodies = list(pool.map(get, range(6)))
            server.shutdown()
            thread.join()
    assert len({body["rows"][0][0] for body in bodies}) == 1 and {body["sql"] for body in bodies} == {DOCTORS}


def test_tool_of_an_agent(ask_again: Callable[[str], None], clinic: Path) -> None:
    ask_again("SELECT phone FROM patient")
    caller = ToolCaller.of([("ask_database", {"question": "Which phones?"})], "I can't see them.")
    with open_default(clinic, context=SINGLE) as database:
        agent = load_example("tool_of_an_agent").agent_of(caller, database)
        messages = agent.invoke({"messages": [{"role": "user", "content": "Which phones?"}]})["messages"]
    (reply,) = [each for each in messages if isinstance(each, ToolMessage)]
    assert reply.artifact["status"] in ("error", "refused") and not reply.artifact["rows"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_team_with_a_supervisor(ask_again: Callable[[str], None], clinic: Path) -> None:
    ask_again(CANCELLED)
    caller = ToolCaller.of([("transfer_to_clinic_data", {})], "Some.")
    with open_default(clinic) as database:
        team = load_example("team_with_a_supervisor").team_of(caller, database)
        messages = team.invoke({"messages": [{"role": "user", "content": "How many were cancelled?"}]})["messages"]
    assert any(CANCELLED in each.text for each in messages) and messages[-1].text == "Some."
