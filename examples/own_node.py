"""A node of your own after the answer, with a state and an output of its own: a sentence for the reader.

python examples/own_node.py
"""

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.graph import END
from typing_extensions import TypedDict

from route_sql import Catalog, EmbeddedServer, ModelStore, Question, State, make_builder
from route_sql.demo.database import build_demo_database


class DeskState(State, total=False):
    """Our state, and the sentence."""

    sentence: str


class DeskAnswer(TypedDict):
    """The output of `invoke`: any keys of the state."""

    sql: str | None
    sentence: str


async def tell(state: DeskState) -> dict[str, str]:
    """Write the sentence; a node reads the whole state and returns what changes."""
    count = f"{state['row_count']} row{'' if state['row_count'] == 1 else 's'}"
    return {"sentence": f"{state['question']} {count}, confidence {state['confidence']:.0%}."}


async def ask(model: BaseChatModel) -> dict[str, Any]:
    """Ask with the node."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog:
        builder = make_builder(model, catalog, state_schema=DeskState, output_schema=DeskAnswer)
        builder.edges.discard(("answer", END))
        builder.add_node("tell", tell)
        builder.add_edge("answer", "tell")
        builder.add_edge("tell", END)
        question = Question(question="Which departments are there?", database=name)
        return dict(await builder.compile().ainvoke(question))


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        print((await ask(server.chat_model()))["sentence"])


if __name__ == "__main__":
    asyncio.run(main())
