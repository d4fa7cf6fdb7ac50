"""Where training data come from: Spider, BIRD with or without its databases, and a team's own query log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.sqlite import SQLiteDatabase
from route_sql.training.datasets import Example, load_examples, sample
from route_sql.training.errors import DatasetError
from route_sql.training.published_schemas import PublishedSchema, load_published_schemas
from route_sql.training.query_log import load_query_log

DataFormat = Literal["spider", "bird", "log"]

LICENCES: dict[DataFormat, str] = {
    "spider": "CC BY-SA 4.0 (Spider, Yu et al. 2018)",
    "bird": "CC BY-SA 4.0 (BIRD, Li et al. 2023)",
    "log": "the query log's owner's",
}
"""Whose terms the rows are under; those of a model trained on them are for its maker to judge."""

_TABLES = ("train_tables.json", "tables.json", "dev_tables.json")


@dataclass(frozen=True)
class Source:
    """Examples and their databases. `excluded` counts what `EXCLUDED.json` or the limit left out before."""

    format: DataFormat
    questions: Path
    examples: Sequence[Example]
    catalog: Catalog
    schemas_only: frozenset[str]
    excluded: int


@asynccontextmanager
async def open_source(
    format: DataFormat,
    questions: Path,
    databases: Path | None,
    *,
    tables: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> AsyncIterator[Source]:
    """Open a data set or a query log; the databases are closed at the end.

    Args:
        format: `spider`, `bird`, or `log` for a team's own pairs.
        questions: The questions file.
        databases: The folder with `NAME/NAME.sqlite` or `NAME.sqlite`; for a log also a catalog in TOML. None if only
            schemas are there.
        tables: BIRD's or Spider's `tables.json`, for databases that are not there. If None, it is looked for beside the
            questions of BIRD.
        limit: How many examples to draw, None for all.
        seed: Of the drawing.

    Raises:
        DatasetError: a file can't be used, or an example's database is nowhere.
        DatabaseUnavailable: the catalog can't be read.
    """
    source = await asyncio.to_thread(_open, format, questions, databases, tables, limit, seed)
    async with source.catalog:
        yield source


def _open(
    format: DataFormat, questions: Path, databases: Path | None, tables: Path | None, limit: int | None, seed: int
) -> Source:
    everything = _examples(format, questions, exclude=False)
    kept = _examples(format, questions, exclude=True)
    examples = sample(kept, limit, seed)
    catalog, schemas_only = _catalog(examples, format, questions, databases, tables)
    return Source(format, questions, examples, catalog, schemas_only, len(everything) - len(kept))


def _examples(format: DataFormat, questions: Path, *, exclude: bool) -> list[Example]:
    return load_query_log(questions) if format == "log" else load_examples(questions, format, exclude=exclude)


def _catalog(
    examples: Sequence[Example], format: DataFormat, questions: Path, databases: Path | None, tables: Path | None
) -> tuple[Catalog, frozenset[str]]:
    if databases is not None and databases.suffix == ".toml":
        return Catalog.from_toml(databases), frozenset()
    names = sorted({example.database for example in examples})
    opened: dict[str, Database] = {}
    for name in names:
        if databases is not None and (file := _file(databases, name)):
            opened[name] = SQLiteDatabase(name, file)
    found = tables or (_beside(questions) if format == "bird" else None)
    schemas = load_published_schemas(found) if found and len(opened) < len(names) else {}
    only = {name: PublishedSchema(name, schemas[name]) for name in names if name not in opened and name in schemas}
    if missing := [name for name in names if name not in opened and name not in only]:
        raise DatasetError(
            f"{len(missing)} of {len(names)} databases are not there, such as {missing[0]}; name the folder that holds "
            f"NAME/NAME.sqlite, or the tables.json with their schemas"
        )
    return Catalog({**opened, **only}), frozenset(only)


def _file(folder: Path, name: str) -> Path | None:
    # A database's name comes from the questions file and must not lead out of the folder.
    if Path(name).name != name:
        raise DatasetError(f"{name!r} is no name of a database; give the name of a file or folder")
    candidates = (folder / name / f"{name}.sqlite", folder / f"{name}.sqlite")
    return next((file for file in candidates if file.is_file()), None)


def _beside(questions: Path) -> Path | None:
    return next((path for name in _TABLES if (path := questions.with_name(name)).is_file()), None)
