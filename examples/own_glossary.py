"""A glossary as a LangChain tool: the terms of a company, as notes for the agents.

python examples/own_glossary.py
"""

import asyncio
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import tool

from route_sql import Answer, Catalog, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database

GLOSSARY = {
    "no-show": "a no-show is an appointment with status 'No-show'",
    "self-payer": "a self-payer is a patient whose insurer_id is NULL",
}


@tool
def glossary(question: str) -> list[str]:
    """The company's own terms."""
    return [meaning for word, meaning in GLOSSARY.items() if word in question.lower()]


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the glossary."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog:
        graph = build_graph(model, catalog, context_tools=[glossary])
        question = Question(question="How many patients are self-payers?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        answer = await ask(server.chat_model())
    print(answer["sql"], answer["rows"])


if __name__ == "__main__":
    asyncio.run(main())
