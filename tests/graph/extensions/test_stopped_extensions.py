"""A question that is stopped leaves no extension behind that was made ready and never called."""

import asyncio
import gc
import warnings
from contextlib import suppress

import pytest

from route_sql.graph.extensions.arguments import context_extensions
from route_sql.graph.grounding import gather_notes
from route_sql.graph.state import Question


async def glossary(question: Question) -> list[str]:
    await asyncio.sleep(1)
    return []


@pytest.mark.parametrize("steps", range(5))
async def test_no_coroutine_is_left_that_nobody_awaits(steps: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tools = context_extensions([glossary, glossary], 5.0)
        running = asyncio.create_task(gather_notes(tools, {"question": "Who?", "database": "shop"}))
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        gc.collect()
    assert [str(each.message) for each in caught if "was never awaited" in str(each.message)] == []
