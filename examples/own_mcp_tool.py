"""Notes from a server of the Model Context Protocol, by the SDK `mcp` (2.x): its tool as a context tool.

python examples/own_mcp_tool.py
"""

import asyncio
import sys
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer

from route_sql import Answer, Catalog, ContextTool, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database

server = MCPServer("words")


@server.tool()
def words(question: str) -> list[str]:
    """Look up the company's terms."""
    return ["a no-show is an appointment with status 'No-show'"] if "no-show" in question.lower() else []


def notes_of(client: Client) -> ContextTool:
    """A context tool that calls the server's tool. An error of the tool is raised: its text is not a note."""

    async def words_of_the_house(question: Question) -> list[str]:
        result = await client.call_tool("words", {"question": question["question"]})
        texts = [block.text for block in result.content if block.type == "text"]
        if result.is_error:
            raise RuntimeError(" ".join(texts))
        return texts

    return words_of_the_house


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the tool; the server is this file, started with `serve`."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog, Client(StdioServerParameters(command=sys.executable, args=[__file__, "serve"])) as client:
        graph = build_graph(model, catalog, context_tools=[notes_of(client)])
        question = Question(question="How many no-shows were there?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as model_server:
        answer = await ask(model_server.chat_model())
    print(answer["sql"], answer["rows"])


if __name__ == "__main__":
    server.run() if "serve" in sys.argv else asyncio.run(main())
