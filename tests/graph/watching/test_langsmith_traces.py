"""LangSmith, by its real client on a loopback server: nodes and queries are traced without rows."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.tracers import LangChainTracer
from langsmith import Client

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.watching.traces import without_rows
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Which products are there?", database="shop")
SQL = "SELECT name || ' costs ' || price FROM product"
CELL = "lamp costs 20.0"


@pytest.fixture
def collected() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a collector of traces, and the runs that it got."""
    runs: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            runs.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_PATCH = do_POST

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", runs
    server.shutdown()
    thread.join()
    server.server_close()


async def traced(
    collected: tuple[str, list[dict[str, Any]]], model: ScriptedModel, catalog: Catalog, *, content: bool, **client: Any
) -> list[dict[str, Any]]:
    url, runs = collected
    model.enqueue("sql", SQL)
    tracer = LangChainTracer(client=Client(url, api_key="none", auto_batch_tracing=False, **client))
    graph = build_graph(model, catalog, trace_content=content)
    answer = await graph.ainvoke(QUESTION, {"callbacks": [tracer]}, context=Context(strategy="single"))
    assert answer["rows"] == [[CELL], ["desk costs 150.0"]]
    tracer.wait_for_futures()
    return runs


async def test_nodes_and_queries_are_traced_without_rows(
    collected: Any, model: ScriptedModel, catalog: Catalog
) -> None:
    runs = await traced(collected, model, catalog, content=False)
    ends = [run for run in runs if run.get("outputs")]
    with_rows = {run.get("name") or run.get("id") for run in ends if CELL in json.dumps(run)}
    roots = {run["id"] for run in runs if run.get("name") == "route-sql"} | {"route-sql"}
    assert with_rows <= roots, "LangGraph's own root run holds the answer; see without_rows"
    assert "2 rows left out" in json.dumps(ends)


async def test_with_our_filter_in_the_client_no_run_has_rows(
    collected: Any, model: ScriptedModel, catalog: Catalog
) -> None:
    hiding = {"hide_inputs": without_rows, "hide_outputs": without_rows}
    runs = await traced(collected, model, catalog, content=False, **hiding)
    assert runs and CELL not in json.dumps(runs)


async def test_by_choice_they_are_there(collected: Any, model: ScriptedModel, catalog: Catalog) -> None:
    runs = await traced(collected, model, catalog, content=True)
    assert sum(CELL in json.dumps(run) for run in runs) > 2
