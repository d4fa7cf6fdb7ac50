"""The graph without async: one question, the steps of another as they come, and several side by side.

python examples/synchronous_script.py
"""

from pathlib import Path
from typing import Any

from route_sql import Catalog, EmbeddedServer, ModelStore, build_graph
from route_sql.demo.database import build_demo_database

QUESTIONS = ("How many patients are there?", "How many doctors are there?")


def asked(graph: Any, database: str) -> list[str]:
    """Rows of the answers, and the nodes that the stream named."""
    questions = [{"question": question, "database": database} for question in QUESTIONS]
    answer = graph.invoke(questions[0])
    nodes = [name for part in graph.stream(questions[0], stream_mode="updates") for name in part]
    several = graph.batch(questions)
    return [str(answer["rows"]), " ".join(nodes), *(str(each["rows"]) for each in several)]


def main() -> None:
    """Start the embedded model and ask the demo clinic."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    with catalog, EmbeddedServer(ModelStore().resolve("default")) as server:
        print(*asked(build_graph(server.chat_model(), catalog), name), sep="\n")


if __name__ == "__main__":
    main()
