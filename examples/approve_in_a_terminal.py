"""Approval in a terminal: each query is shown before it runs, and you run it, edit it or reject it.

python examples/approve_in_a_terminal.py
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql import Answer, Catalog, Context, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database


def decision(typed: str) -> Any:
    """The answer to a query: y runs it, SQL replaces it, anything else is the reason why it must not run."""
    if typed.strip().lower() in ("y", "yes"):
        return {"type": "approve"}
    if typed.strip().lower().startswith(("select", "with")):
        return {"type": "edit", "sql": typed}
    return {"type": "reject", "reason": typed}


async def ask(model: BaseChatModel, catalog: Catalog, question: Question, read: Callable[[str], str]) -> Answer:
    """Ask, and read a decision on each query until there is an answer."""
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(approve=True, after_rejection="correct_noise")
    step: Any = question
    while True:
        result = await graph.ainvoke(step, {"configurable": {"thread_id": "1"}}, context=context, version="v2")
        if not result.interrupts:
            return result.value
        typed = await asyncio.to_thread(read, f"{result.interrupts[0].value['approve']}\ny, other SQL, or a reason: ")
        step = Command(resume=decision(typed))


async def main() -> None:
    """Ask the demo clinic."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog, EmbeddedServer(ModelStore().resolve("default")) as server:
        question = Question(question="How many appointments were cancelled?", database=name)
        answer = await ask(server.chat_model(), catalog, question, input)
        print(answer["sql"], answer["rows"], answer["error"] or "")


if __name__ == "__main__":
    asyncio.run(main())
