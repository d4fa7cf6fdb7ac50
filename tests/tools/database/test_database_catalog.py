"""Catalogs: names, TOML, URLs, and errors that never repeat a password."""

import logging
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.dialects import registry

from route_sql.tools.database.catalog import RIGHTS, Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.database.unknown_engine import UnknownEngineDatabase
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable, UnknownDatabase
from route_sql.tools.limits import Limits
from route_sql.tools.schema.rights.visibility import Visibility


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
        ('[databases.a]\nurl = "a.db"\nhide = "salary"\n', r"\[databases.a\] in .*: hide must be a list of names"),
        ('[databases.a]\nurl = "a.db"\nhide = [1]\n', "hide must be a list of names"),
        ('[databases.a]\nurl = "a.db"\nhide = [" "]\n', "hide must be a list of names"),
        ('[databases.a]\nurl = "a.db"\nallow = []\n', "allow is empty; name what may be seen"),
        ('[databases.a]\nurl = "a.db"\nschemas = "x"\n', "schemas must be a list of names"),
        ('[databases.a]\nurl = "a.db"\nfunctions = "f"\n', "functions must be a list of names"),
        ('[databases.a]\nurl = "a.db"\nfunctions = ["*"]\n', r"\[databases.a\] in .*'\*' is not a list of functions"),
        ('[databases.a]\nurl = "a.db"\nnotes = 1\n', "notes must be the name of a text file"),
        ('[databases.a]\nurl = "a.db"\nnotes = "none.md"\n', r"the notes .*none.md can't be read: No such file"),
        ('[databases.a]\nurl = "a.db"\naccept_weak_bounds = 1\n', "accept_weak_bounds must be true or false"),
        ('[databases.a]\nurl = "a.db"\n[databases.a.limits]\npool = 0\n', "pool must be a positive integer"),
        ('[databases.a]\nurl = "a.db"\n[databases.a.limits]\nseconds = inf\n', "seconds must be a positive number"),
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
        ("nosuch://ann:s3cret@host/shop", "nosuch is not among the engines that are held to bounded reading"),
        ("oracle+oracledb://ann:s3cret@host/shop", "oracle is not among .* set accept_weak_bounds = true"),
        ("duckdb://", "names no DuckDB file"),
        ("duckdb:///:memory:", "names no DuckDB file"),
        ("postgresql://ann:s3cret@host:port/shop", "the URL can't be read"),
        ("sqlite://", "names no SQLite file"),
        ("sqlite:///:memory:", "names no SQLite file"),
        ("sqlite://host/file", "names no SQLite file"),
        ("sqlite:///file:x?mode=rwc&uri=true", "URIs can't be used"),
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


ODD_PASSWORD = "p@ss:w/rd"
SECRETS = ("s3cret", "p@ss", "p%40ss", "w/rd", "w%2Frd")
ENTRIES = [
    'url = "postgresql://ann:${PASSWORD}@127.0.0.1:1/shop"\n',
    'url = "mysql://ann:${PASSWORD}@127.0.0.1:1/shop"\n',
    'url = "mariadb+pymysql://ann:${PASSWORD}@127.0.0.1:1/shop?charset=utf8mb4"\n',
    'url = "postgresql://ann:s3cret@127.0.0.1:port/shop"\n',
    'url = "nosuch://ann:s3cret@host/shop"\n',
    'url = "nosuch://ann:s3cret@host/shop"\naccept_weak_bounds = true\n',
    'url = "mssql+pyodbc://ann:${PASSWORD}@host/shop"\naccept_weak_bounds = true\n',
    'url = "sqlite://ann:s3cret@host/shop"\n',
    'url = "postgresql://ann:s3cret@${NOT_SET}/shop"\n',
    'url = "postgresql://ann:s3cret@host/shop"\npasswort = "s3cret"\n',
    'url = "postgresql://ann:s3cret@host/shop"\nhide = "s3cret"\n',
    'url = "postgresql://ann:s3cret@host/shop\n',
    'url = "postgresql://ann:s3cret@host/shop"\nurl = "s3cret"\n',
]


@pytest.mark.parametrize("entry", ENTRIES)
async def test_no_error_and_no_log_repeats_a_password(
    tmp_path: Path, entry: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "databases.toml").write_text(f"[databases.shop]\n{entry}")
    caplog.set_level(logging.DEBUG)
    seen = []
    with pytest.raises(DatabaseUnavailable) as caught:
        async with Catalog.from_toml(tmp_path / "databases.toml", {"PASSWORD": ODD_PASSWORD}) as catalog:
            seen.append(repr(catalog))
            database = catalog.get("shop")
            seen += [repr(database), repr(VisibleDatabase(database, Visibility(hide=("x",))))]
            await database.execute("SELECT 1")
    seen += ["".join(traceback.format_exception(caught.value)), caplog.text]
    assert not [secret for secret in SECRETS if secret in "".join(seen)]


async def test_a_file_is_known_by_its_first_bytes_not_by_its_name(tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(make(tmp_path / "a.duckdb"))
    async with catalog:
        assert isinstance(catalog.get(name), SQLiteDatabase)
        assert await answer(catalog, name) == [[7]]


async def test_an_entry_that_is_wrong_does_not_keep_the_others_closed(tmp_path: Path) -> None:
    make(tmp_path / "a.db")
    file = tmp_path / "databases.toml"
    file.write_text('[databases.other]\nurl = "nosuch://host/shop"\n[databases.a]\nurl = "a.db"\n')
    async with Catalog.from_toml(file, {}) as catalog:
        assert catalog.names() == ["other", "a"]
        assert await answer(catalog, "a") == [[7]]
        with pytest.raises(DatabaseUnavailable, match="nosuch is not among"):
            catalog.get("other")


async def test_schemas_are_for_engines_that_have_them(tmp_path: Path) -> None:
    file = tmp_path / "databases.toml"
    file.write_text('[databases.a]\nurl = "a.db"\nschemas = ["main"]\n')
    async with Catalog.from_toml(file, {}) as catalog:
        with pytest.raises(DatabaseUnavailable, match="a SQLite file, which has no schemas; remove schemas"):
            catalog.get("a")


NOTES = """# Words of the house

a regular has two sales
A t is a thing; its SECRET is its weight

the secret_plan is another matter
"""


async def test_allow_hide_and_notes(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript("CREATE TABLE t (a, secret); INSERT INTO t VALUES (7, 8); CREATE TABLE u (b);")
    (tmp_path / "words.md").write_text(NOTES)
    file = tmp_path / "databases.toml"
    file.write_text('[databases.a]\nurl = "a.db"\nallow = ["t"]\nhide = ["T.Secret"]\nnotes = "words.md"\n')
    async with Catalog.from_toml(file, {}) as catalog:
        assert (await catalog.get("a").schema()).names() == {"t": ["a"]}
        assert (await catalog.get("a").execute("SELECT * FROM t"))["rows"] == [[7]]
        said = ["# Words of the house", "a regular has two sales", "the secret_plan is another matter"]
        assert await catalog.notes("a") == said
        assert await catalog.notes("a", Visibility(hide=("*.a",))) == [said[0], said[2]]
        narrower = catalog.get("a", Visibility(allow=("*",)))
        assert (await narrower.schema()).names() == {"t": ["a"]}
        assert catalog.get("a", Visibility(allow=("*",))) is narrower


async def test_a_misspelt_hide_keeps_the_database_closed(tmp_path: Path) -> None:
    make(tmp_path / "a.db")
    file = tmp_path / "databases.toml"
    file.write_text('[databases.a]\nurl = "a.db"\nhide = ["t.A", "t.sceret"]\n')
    async with Catalog.from_toml(file, {}) as catalog:
        with pytest.raises(DatabaseUnavailable, match="names tables or columns that it lacks: t.sceret"):
            await catalog.get("a").execute("SELECT 1")


async def test_only_the_rights_used_last_are_kept(tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(make(tmp_path / "a.db"))
    async with catalog:
        first = catalog.get(name, Visibility(hide=("t.none",)))
        for number in range(RIGHTS):
            catalog.get(name, Visibility(hide=(f"x{number}",)))
        assert catalog.get(name, Visibility(hide=("t.none",))) is not first
        last = Visibility(hide=(f"x{RIGHTS - 1}",))
        assert catalog.get(name, last) is catalog.get(name, last)


@pytest.fixture
def weak_url(tmp_path: Path) -> str:
    registry.register("weaklite", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    return f"weaklite:///{make(tmp_path / 'a.db')}"


async def test_another_engine_runs_when_the_catalog_says_so_and_says_what_it_lacks(
    tmp_path: Path, weak_url: str
) -> None:
    file = tmp_path / "databases.toml"
    file.write_text(f'[databases.a]\nurl = "{weak_url}"\naccept_weak_bounds = true\n')
    async with Catalog.from_toml(file, {}) as catalog:
        database = catalog.get("a")
        assert isinstance(database, UnknownEngineDatabase)
        assert await answer(catalog, "a") == [[7]]
        assert (await database.schema()).names() == {"t": ["a"]}
        assert "its session is not read-only" in (await database.warnings())[0]
        for sql in ("DELETE FROM t", "SELECT 1; DELETE FROM t", "SELECT load_extension('x')"):
            assert (await database.execute(sql))["status"] == "refused", sql
        assert (await database.execute("SELECT b FROM t"))["error"] == "unknown column b. There is no column b."
        endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
        assert (await database.execute(endless, Limits(seconds=0.1)))["status"] == "timeout"
        assert await answer(catalog, "a") == [[7]]
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.execute("SELECT 1")
    with pytest.raises(DatabaseUnavailable, match="weaklite is not among"):
        Catalog.from_url(weak_url)
