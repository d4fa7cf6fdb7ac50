"""A browser for the tests of the page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from support.browser import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    """One browser for all tests of a file."""
    async with chromium() as opened:
        yield opened
