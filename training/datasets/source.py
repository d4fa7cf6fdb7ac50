"""Where training data come from: Spider, BIRD with or without its databases, and a team's own query log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.training.datasets.described_database import FOLDER, DescribedDatabase
from route_sql.training.datasets.examples import Example, held_out_examples, load_examples, sample
from route_sql.training.datasets.published_schemas import PublishedSchema, load_published_schemas
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.errors import DatasetError

DataFormat = Literal["spider", "bird", "log"]

LICENCES: dict[DataFormat, str] = {
    "spider": "CC BY-SA 4.0 (Spider, Yu et al. 2018)",
    "bird": "CC BY-SA 4.0 (BIRD, Li et al. 2023)",
    "log": "the query log's owner's",
}
"""Whose terms the rows are under; those of a model trained on them are for its maker to judge."""

_TABLES = ("train_tables.json", "tables.json", "dev_tables.json")


_SHOWN = 5


@dataclass(frozen=True)
class Source:
    """Examples and their databases.

    `entries` counts what the questions file holds, `excluded` what of it `EXCLUDED.json` left out.
    """

    format: DataFormat
    questions: Path
    examples: Sequence[Example]
    catalog: Catalog
    schemas_only: frozenset[str]
    entries: int
    excluded: int


@asynccontextmanager
async def open_source(
    format: DataFormat,
    questions: Path,
    databases: Path | None,
    *,
    tables: Path | None = None,
    held_out_of: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    some_may_lack: bool = False,
) -> AsyncIterator[Source]:
    """Open a data set or a query log; the databases are closed at the end.

    Args:
        format: `spider`, `bird`, or `log` for a team's own pairs.
        questions: The questions file.
        databases: The folder with `NAME/NAME.sqlite` or `NAME.sqlite`, of BIRD with its descriptions of columns; for a
            log also a catalog in TOML. None if only schemas are there.
        tables: BIRD's or Spider's `tables.json`, for databases that are not there. If None, it is looked for beside the
            questions of BIRD.
        held_out_of: The folder of a training set, to take only what it holds out.
        limit: How many examples to draw, None for all.
        seed: Of the drawing.
        some_may_lack: Whether the catalog may be without databases that examples name, as long as it has others.

    Raises:
        DatasetError: a file can't be used, or an example's database is nowhere.
        DatabaseUnavailable: the catalog can't be read.
    """
    everything = await asyncio.to_thread(_examples, format, questions, exclude=False)
    kept = await asyncio.to_thread(_examples, format, questions, exclude=True)
    asked = await asyncio.to_thread(held_out_examples, kept, held_out_of) if held_out_of else kept
    drawn = sample(asked, limit, seed)
    catalog, schemas_only = await asyncio.to_thread(
        _catalog, drawn, format, questions, databases, tables, some_may_lack
    )
    source = Source(format, questions, drawn, catalog, schemas_only, len(everything), len(everything) - len(kept))
    async with source.catalog:
        yield source


def few_of(names: Sequence[str]) -> str:
    """The first five names and how many more there are, for a message."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _examples(format: DataFormat, questions: Path, *, exclude: bool) -> list[Example]:
    return load_query_log(questions) if format == "log" else load_examples(questions, format, exclude=exclude)


def _catalog(
    examples: Sequence[Example],
    format: DataFormat,
    questions: Path,
    databases: Path | None,
    tables: Path | None,
    some_may_lack: bool,
) -> tuple[Catalog, frozenset[str]]:
    names = sorted({example.database for example in examples})
    if databases is not None and databases.suffix == ".toml":
        return _described(databases, names, some_may_lack), frozenset()
    if strange := [] if some_may_lack else [name for name in names if not _is_name(name)]:
        raise DatasetError(f"{strange[0]!r} is no name of a database; give the name of a file or folder")
    opened: dict[str, Database] = {}
    for name in names:
        if databases is not None and (file := _file(databases, name)):
            descriptions = file.with_name(FOLDER)
            told = format == "bird" and descriptions.is_dir()
            opened[name] = DescribedDatabase(name, file, descriptions) if told else SQLiteDatabase(name, file)
    found = tables or (_beside(questions) if format == "bird" else None)
    schemas = load_published_schemas(found) if found and len(opened) < len(names) else {}
    only = {name: PublishedSchema(name, schemas[name]) for name in names if name not in opened and name in schemas}
    missing = [name for name in names if name not in opened and name not in only]
    if missing and not (some_may_lack and len(missing) < len(names)):
        place = f"in {databases}" if databases else "there"
        raise DatasetError(
            f"{len(missing)} of {len(names)} databases are not {place}: {few_of(missing)}; name the folder that holds "
            "NAME/NAME.sqlite of each, or, for training data alone, the tables.json with their schemas"
        )
    return Catalog({**opened, **only}), frozenset(only)


def _described(file: Path, names: Sequence[str], some_may_lack: bool) -> Catalog:
    catalog = Catalog.from_toml(file)
    missing = sorted(set(names) - set(catalog.names()))
    if missing and not (some_may_lack and len(missing) < len(names)):
        raise DatasetError(
            f"{len(missing)} of {len(names)} databases are not in {file}: {few_of(missing)}; add an entry for each"
        )
    return catalog


def _is_name(name: str) -> bool:
    return Path(name).name == name


def _file(folder: Path, name: str) -> Path | None:
    # A database's name comes from the questions file and must not lead out of the folder.
    if not _is_name(name):
        return None
    candidates = (folder / name / f"{name}.sqlite", folder / f"{name}.sqlite")
    return next((file for file in candidates if file.is_file()), None)


def _beside(questions: Path) -> Path | None:
    return next((path for name in _TABLES if (path := questions.with_name(name)).is_file()), None)
