"""Databases for the tests of the protocol server, and the command that serves them over standard input and output."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mcp import StdioServerParameters

from route_sql.testing import ScriptedModel

PETS = "SELECT name, kind FROM pet"


def make_databases(folder: Path) -> Path:
    """Two databases and the catalog that names them."""
    for name, kind in (("pets", "dog"), ("zoo", "lion")):
        with closing(sqlite3.connect(folder / f"{name}.sqlite")) as connection:
            connection.executescript(
                "CREATE TABLE pet (name TEXT, kind TEXT, weight REAL);"
                "CREATE TABLE owner (name TEXT, phone TEXT);"
                f"INSERT INTO pet VALUES ('Rex', '{kind}', 9e999), ('Mia', 'cat', 4.5);"
                "INSERT INTO owner VALUES ('Ada', '555-0100');"
                "CREATE TABLE number AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                " SELECT i FROM n;"
            )
    catalog = folder / "databases.toml"
    catalog.write_text("".join(f'[databases.{name}]\nurl = "sqlite:///{name}.sqlite"\n' for name in ("pets", "zoo")))
    return catalog


def served(catalog: Path, model: str, *options: str) -> StdioServerParameters:
    """The command as an assistant starts it, for a model at a URL."""
    env = {"ROUTE_SQL_DATABASES": str(catalog), "ROUTE_SQL_MODEL": model, "ROUTE_SQL_WORDING": "instruct"}
    command = ["-m", "route_sql", "mcp", "--strategy", "single", *options]
    return StdioServerParameters(command=sys.executable, args=command, env=env)


def scripted() -> ScriptedModel:
    """A model that writes the same query for each question."""
    return ScriptedModel(history=[], otherwise=lambda *_: PETS)
