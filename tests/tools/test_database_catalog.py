"""Catalogs: names, TOML, URLs, and errors that never repeat a password."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Limits
from route_sql.tools.database.sqlite import SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable, UnknownDatabase


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (7);")
    return path


async def answer(catalog: Catalog, name: str) -> object:
    return (await catalog.get(name).execute("SELECT a FROM t"))["rows"]


@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}"])
async def test_a_path_or_url_makes_a_catalog_of_one(tmp_path: Path, form: str) -> None:
    path = make(tmp_path / "my shop#1.sqlite")
    catalog, name = Catalog.from_url(form.format(path=path))
    async with catalog:
        assert name == "my shop#1"
        assert catalog.names() == [name]
        assert await answer(catalog, name) == [[7]]


async def test_a_path_object_is_taken(tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(make(tmp_path / "a.db"), Limits(seconds=3))
    async with catalog:
        assert await answer(catalog, name) == [[7]]


async def test_toml(tmp_path: Path) -> None:
    make(tmp_path / "data" / "shop.sqlite")
    make(tmp_path / "elsewhere" / "clinic.sqlite")
    file = tmp_path / "databases.toml"
    file.write_text(
        '[databases.shop]\nurl = "sqlite:///data/shop.sqlite"\n'
        "[databases.shop.limits]\nseconds = 2.5\nrows = 3\n"
        '[databases.clinic]\nurl = "${WHERE}/clinic.sqlite"\n'
    )
    async with Catalog.from_toml(file, {"WHERE": str(tmp_path / "elsewhere")}) as catalog:
        assert catalog.names() == ["shop", "clinic"]
        assert await answer(catalog, "shop") == await answer(catalog, "clinic") == [[7]]
        shop, clinic = catalog.get("shop"), catalog.get("clinic")
        assert isinstance(shop, SQLiteDatabase) and isinstance(clinic, SQLiteDatabase)
        assert shop.limits == Limits(seconds=2.5, rows=3)
        assert clinic.limits == Limits()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "names no database"),
        ("databases = 3", "names no database"),
        ("[databases.a", "is not valid TOML"),
        ("[databases.a]\n", "needs a url"),
        ("[databases.a]\nurl = 3\n", "needs a url"),
        ('[databases.a]\nurl = "a.db"\npassword = "x"\n', "unknown keys: password"),
        ('[databases.a]\nurl = "${NOT_SET}/a.db"\n', "environment variable NOT_SET"),
        ('[databases.a]\nurl = "a.db"\n[databases.a.limits]\nhours = 1\n', "these keys only: seconds, rows"),
        ('[databases.a]\nurl = "a.db"\n[databases.a.limits]\nrows = -1\n', "rows must be a positive integer"),
        (
            '[databases.a]\nurl = "a.db"\n[databases.a.limits]\nrows = 1.5\n',
            "rows must be a positive integer",
        ),
        (
            '[databases.a]\nurl = "a.db"\n[databases.a.limits]\nseconds = true\n',
            "seconds must be a positive number",
        ),
    ],
)
def test_toml_that_is_wrong_says_where(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "databases.toml"
    file.write_text(content)
    with pytest.raises(DatabaseUnavailable, match=reason):
        Catalog.from_toml(file, {})


def test_a_missing_toml_file(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="No such file"):
        Catalog.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://ann:s3cret@host/shop", "PostgreSQL is not supported yet; SQLite is"),
        ("postgresql+psycopg://ann:s3cret@host/shop", "PostgreSQL is not supported yet"),
        ("mysql://ann:s3cret@host/shop", "MySQL is not supported yet"),
        ("nosuch://ann:s3cret@host/shop", "nosuch is not supported yet"),
        ("postgresql://ann:s3cret@host:port/shop", "the URL can't be read"),
        ("sqlite://", "names no SQLite file"),
        ("sqlite:///:memory:", "names no SQLite file"),
        ("sqlite://host/file", "names no SQLite file"),
        ("sqlite:///file:x?mode=rwc&uri=true", "URIs are not taken"),
    ],
)
def test_urls_that_are_not_taken(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=reason) as caught:
        Catalog.from_url(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_an_unknown_name_lists_the_names_and_the_closest(tmp_path: Path) -> None:
    shop, clinic = (SQLiteDatabase(name, tmp_path / name) for name in ("web_shop", "clinic"))
    async with Catalog({"web_shop": shop, "clinic": clinic}) as catalog:
        with pytest.raises(UnknownDatabase, match=r"did you mean 'web_shop'\? \(it has clinic, web_shop\)"):
            catalog.get("webshop")
        with pytest.raises(UnknownDatabase, match="no database 'zzz' in the catalog .it has"):
            catalog.get("zzz")
    with pytest.raises(UnknownDatabase, match="the catalog is empty"):
        Catalog({}).get("shop")


async def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(tmp_path / "none.sqlite")
    async with catalog:
        with pytest.raises(DatabaseUnavailable, match="there is no file"):
            await catalog.get(name).schema()


async def test_closing_closes_all(tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(make(tmp_path / "a.db"))
    database = catalog.get(name)
    await catalog.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.execute("SELECT 1")
