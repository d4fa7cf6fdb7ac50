"""A data set on disk, opened with its databases: Spider, BIRD with or without databases, or a team's query log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.open_database import open_database
from route_sql.training.datasets.described_database import FOLDER, DescribedDatabase
from route_sql.training.datasets.examples import Example, held_out_examples, load_examples, sample
from route_sql.training.datasets.published_schemas import PublishedSchema, load_published_schemas
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.datasets.shards import Shard
from route_sql.training.errors import DatasetError

Layout = Literal["spider", "bird", "log"]
"""The layout of a questions file; `log` for a team's own pairs."""

LICENCES: dict[Layout, str] = {
    "spider": "CC BY-SA 4.0 (Spider, Yu et al. 2018)",
    "bird": "CC BY-SA 4.0 (BIRD, Li et al. 2023)",
    "log": "the query log's owner's",
}
"""The licence of the rows, by layout. The maker of a model trained on them must judge its licence."""

SUFFIXES = (".sqlite", ".db", ".sqlite3", ".duckdb")
"""Endings of a database's file in the folder of the databases, in the order in which they are looked for."""
_TABLES = ("train_tables.json", "tables.json", "dev_tables.json")
_SHOWN = 5


@dataclass(frozen=True)
class DataSet:
    """A data set or query log on disk, and the part of it that is used."""

    layout: Layout
    questions: Path
    """The questions file; questions that `EXCLUDED.json` next to it lists are left out."""
    databases: Path | None = None
    """The folder with `NAME/NAME.sqlite` or `NAME.sqlite` (or another of `SUFFIXES`), with BIRD's descriptions of
    columns; for a log also a catalog in TOML. None if only schemas are there."""
    tables: Path | None = None
    """A `tables.json` of Spider or BIRD, for databases that are not there. None for BIRD looks for it next to the
    questions."""
    held_out_of: Path | None = None
    """The folder of a training set, to take only the questions that it holds out."""
    limit: int | None = None
    """The size of a random sample of the questions; None takes all."""
    seed: int = 0
    """The seed of the sample."""
    shard: Shard | None = None
    """The part of the sample that is used; None takes all."""


@dataclass(frozen=True)
class OpenDataSet:
    """The examples of a data set and their databases."""

    data_set: DataSet
    examples: Sequence[Example]
    catalog: Catalog
    schemas_only: frozenset[str]
    """Names of databases of which only the schema is there."""
    entries: int
    """Questions in the questions file."""
    excluded: int
    """Questions that `EXCLUDED.json` leaves out."""
    whole: Sequence[Example]
    """The examples of all shards."""

    def dialect_of(self, example: Example) -> str:
        """The dialect of an example's database, by sqlglot's name."""
        return self.catalog.get(example.database).dialect


@asynccontextmanager
async def open_data_set(data_set: DataSet, *, some_may_lack: bool = False) -> AsyncIterator[OpenDataSet]:
    """Open a data set or a query log; the databases are closed at the end.

    Args:
        data_set: The data set.
        some_may_lack: Whether the catalog may lack databases that examples name, as long as it has others.

    Raises:
        DatasetError: a file can't be used, or an example's database is nowhere.
        DatabaseUnavailable: the catalog can't be read.
    """
    everything = await asyncio.to_thread(_examples, data_set, exclude=False)
    kept = await asyncio.to_thread(_examples, data_set, exclude=True)
    held_out_of = data_set.held_out_of
    asked = await asyncio.to_thread(held_out_examples, kept, held_out_of) if held_out_of else kept
    drawn = sample(asked, data_set.limit, data_set.seed)
    part = data_set.shard.part(drawn) if data_set.shard else drawn
    catalog, schemas_only = await asyncio.to_thread(_catalog, drawn, data_set, some_may_lack)
    async with catalog:
        excluded = len(everything) - len(kept)
        yield OpenDataSet(data_set, part, catalog, schemas_only, len(everything), excluded, drawn)


def few_of(names: Sequence[str]) -> str:
    """The first five names and how many more there are, for a message."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _examples(data_set: DataSet, *, exclude: bool) -> list[Example]:
    if data_set.layout == "log":
        return load_query_log(data_set.questions)
    return load_examples(data_set.questions, data_set.layout, exclude=exclude)


def _catalog(examples: Sequence[Example], data_set: DataSet, some_may_lack: bool) -> tuple[Catalog, frozenset[str]]:
    """The catalog of the examples' databases, and the names of those of which only the schema is there."""
    folder = data_set.databases
    names = sorted({example.database for example in examples})
    if folder is not None and folder.suffix == ".toml":
        return _from_toml(folder, names, some_may_lack), frozenset()
    if strange := [] if some_may_lack else [name for name in names if not _is_name(name)]:
        raise DatasetError(f"{strange[0]!r} is not a name of a database; give the name of a file or folder")
    opened = _opened(folder, names, data_set.layout) if folder is not None else {}
    found = data_set.tables or (_tables_next_to(data_set.questions) if data_set.layout == "bird" else None)
    schemas = load_published_schemas(found) if found and len(opened) < len(names) else {}
    only = {name: PublishedSchema(name, schemas[name]) for name in names if name not in opened and name in schemas}
    missing = [name for name in names if name not in opened and name not in only]
    if missing and not (some_may_lack and len(missing) < len(names)):
        place = f"in {folder}" if folder else "there"
        instead = "for training data alone, the tables.json with their schemas"
        if data_set.layout == "log":
            instead = "for other files and engines, a databases.toml that has their names"
        raise DatasetError(
            f"{len(missing)} of {len(names)} databases are not {place}: {few_of(missing)}; name the folder that holds "
            f"NAME/NAME.sqlite of each, or, {instead}"
        )
    return Catalog({**opened, **only}), frozenset(only)


def _opened(folder: Path, names: Sequence[str], layout: Layout) -> dict[str, Database]:
    """The databases that have a file; those of BIRD with the descriptions of their columns."""
    opened: dict[str, Database] = {}
    for name in names:
        if file := _file(folder, name):
            opened[name] = _database(name, file, layout)
    return opened


def _database(name: str, file: Path, layout: Layout) -> Database:
    descriptions = file.with_name(FOLDER)
    if layout == "bird" and descriptions.is_dir():
        return DescribedDatabase(name, file, descriptions)
    return open_database(name, str(file), Path())


def _from_toml(file: Path, names: Sequence[str], some_may_lack: bool) -> Catalog:
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
    candidates = (place / f"{name}{suffix}" for suffix in SUFFIXES for place in (folder / name, folder))
    return next((file for file in candidates if file.is_file()), None)


def _tables_next_to(questions: Path) -> Path | None:
    return next((path for name in _TABLES if (path := questions.with_name(name)).is_file()), None)
