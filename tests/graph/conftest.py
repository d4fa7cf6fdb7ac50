import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE sale (customer_id INTEGER REFERENCES customer(id), product_id INTEGER REFERENCES product(id), day TEXT);
INSERT INTO customer VALUES (1, 'Ida', 'Bergen'), (2, 'Ole', 'Oslo'), (3, 'Una', 'Bergen');
INSERT INTO product VALUES (1, 'lamp', 20.0), (2, 'desk', 150.0);
INSERT INTO sale VALUES (1, 1, '2024-01-05'), (1, 2, '2024-02-01'), (3, 1, '2024-02-03');
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SHOP)
    return path


@pytest.fixture
async def catalog(shop: Path) -> AsyncIterator[Catalog]:
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        yield catalog


@pytest.fixture
async def ducks(tmp_path: Path) -> AsyncIterator[Catalog]:
    duckdb = pytest.importorskip("duckdb", reason="the extra duckdb is not installed")
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(
            "CREATE TABLE customer (id INTEGER, \"full name\" TEXT); INSERT INTO customer VALUES (1, 'Ida')"
        )
    catalog, _ = Catalog.from_url(tmp_path / "shop.duckdb")
    async with catalog:
        yield catalog


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    scripted = ScriptedModel(history=[])
    yield scripted
    assert not scripted.leftover, f"replies were lined up that nobody asked for: {scripted.leftover}"
