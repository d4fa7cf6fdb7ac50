"""A database with words of several meanings."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from support.clarify_desk import TRADE

from route_sql.tools.database.catalog import Catalog


@pytest.fixture
async def trade(tmp_path: Path) -> AsyncIterator[Catalog]:
    with closing(sqlite3.connect(tmp_path / "trade.sqlite")) as connection:
        connection.executescript(TRADE)
    catalog, _ = Catalog.from_url(tmp_path / "trade.sqlite")
    async with catalog:
        yield catalog
