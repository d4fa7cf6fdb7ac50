"""Assistants that LangGraph's server offers when it starts, one for each strategy, so that Studio lists them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args
from uuid import NAMESPACE_URL, uuid5

from langgraph_sdk import get_client
from starlette.applications import Starlette

from route_sql.graph.context import Strategy

GRAPH = "route_sql"
DESCRIPTIONS: dict[Strategy, str] = {
    "adaptive": "Asks another agent only when there is a reason.",
    "paper": "Asks every agent in the published order.",
    "single": "Asks the generator once.",
}


def assistant_id(strategy: Strategy) -> str:
    """The id of a strategy's assistant; the same at each start."""
    return str(uuid5(NAMESPACE_URL, f"route-sql:{strategy}"))


@asynccontextmanager
async def assistants(app: Starlette) -> AsyncIterator[None]:
    """Make the assistants that are missing, once the server has its graphs."""
    client = get_client()  # without a URL, the server that this runs in
    for strategy in get_args(Strategy):
        await client.assistants.create(
            GRAPH,
            context={"strategy": strategy},
            assistant_id=assistant_id(strategy),
            name=strategy,
            description=DESCRIPTIONS[strategy],
            if_exists="do_nothing",
        )
    yield


app = Starlette(lifespan=assistants)
