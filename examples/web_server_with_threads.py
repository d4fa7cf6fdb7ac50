"""A WSGI application, as Flask makes one: each request has a thread of its own, and all of them use one graph.

python examples/web_server_with_threads.py    (then http://127.0.0.1:8765/?q=How+many+patients+are+there)
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIServer, make_server

from route_sql import OpenedDatabase, RouteError, open_default
from route_sql.demo.database import build_demo_database

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Threads(ThreadingMixIn, WSGIServer):
    """A server with a thread for each request."""

    daemon_threads = True


def application(database: OpenedDatabase) -> Application:
    """In Flask, `respond` is the body of a view. Without a checkpointer no question is kept, so nothing is mixed up."""
    graph = database.graph.copy(update={"checkpointer": None})

    def respond(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        question = parse_qs(environ["QUERY_STRING"]).get("q", [""])[0]
        asked: Any = {"question": question, "database": database.name}
        try:
            answer = graph.invoke(asked)
            status, body = "200 OK", {"sql": answer["sql"], "rows": answer["rows"], "doubts": answer["doubts"]}
        except RouteError as error:
            status, body = "400 Bad Request", {"error": str(error)}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    return respond


def main() -> None:
    """Serve the demo clinic on the loopback."""
    with open_default(build_demo_database(Path(".demo/clinic.sqlite"))) as database:
        make_server("127.0.0.1", 8765, application(database), Threads).serve_forever()


if __name__ == "__main__":
    main()
