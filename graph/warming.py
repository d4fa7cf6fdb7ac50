"""Warm-up: the model's server computes each schema early, so that the first question is not slow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import perf_counter

from langchain_core.language_models import BaseChatModel

from route_sql.agents import generator
from route_sql.agents.brief import Brief
from route_sql.agents.call import ask_model, wording_of
from route_sql.agents.examples import worked_examples
from route_sql.graph.context import Context
from route_sql.graph.grounding import askable_schema
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.schema.relevance import reduce_schema

QUESTION = "?"


async def warm_up(
    model: BaseChatModel, catalog: Catalog, names: Sequence[str], context: Context | None = None
) -> AsyncIterator[tuple[str, float | None]]:
    """Request one token on each database; all later prompts on it have the same beginning.

    Yields:
        The name of each database, and the seconds that it took; None if its schema is too large for a prompt. Each
        question then has its own part of the schema, and there is nothing to compute in advance.

    Raises:
        RouteError: a database or the model's server can't be asked.
    """
    chosen = context or Context()
    wording = await wording_of(model)
    for name in names:
        schema = await askable_schema(catalog, name, chosen.rights)
        _, is_cut = await asyncio.to_thread(reduce_schema, schema, QUESTION, chosen.schema_chars, ())
        if is_cut:
            yield name, None
            continue
        began = perf_counter()
        examples = worked_examples(wording, schema.dialect)
        brief = Brief(question=QUESTION, schema=schema, wording=wording, examples=examples)
        await ask_model(model, generator.messages(brief), max_tokens=1, database=name)
        yield name, perf_counter() - began
