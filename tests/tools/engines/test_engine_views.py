"""What a view or a search leads to while its table is hidden: no row and no value of what is out of sight.

The hidden cells contain `mk7`; no visible cell, name or literal does.
"""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rights.visibility import Visibility

FILTER = "lower(upper(lower(upper(lower(upper(word)))))) LIKE '%pub%'"
"""So much work that PostgreSQL runs other conditions first."""
SCRIPT = (
    "CREATE TABLE secret (id INTEGER, word VARCHAR(20))",
    "INSERT INTO secret VALUES (1, 'mk7tok1'), (2, '2000pub')",
    f"CREATE VIEW shown AS SELECT id, word FROM secret WHERE {FILTER}",
    "CREATE VIEW above AS SELECT id, word FROM shown",
)
FAILING: dict[str, tuple[str, ...]] = {
    "sqlite": ("CASE WHEN word LIKE '%1' THEN abs(-9223372036854775807 - id) ELSE 1 END",),
    "duckdb": ("CASE WHEN word LIKE '%1' THEN CAST(word AS INTEGER) = 1 ELSE true END",),
    "postgres": (
        "CASE WHEN word LIKE '%1' THEN CAST(word AS INTEGER) = 1 ELSE true END",
        "CASE WHEN word LIKE '%1' THEN 1 / (id - id) = 1 ELSE true END",
        "('{' || translate(word, 'pub', '') || '}')::int[] IS NOT NULL",
    ),
    "mariadb": (
        "CASE WHEN word LIKE '%1' THEN 18446744073709551615 + id ELSE 1 END",
        "CASE WHEN word LIKE '%1' THEN (SELECT 1 UNION SELECT 2) ELSE 1 END",
    ),
}
"""Conditions that fail for the hidden row alone."""


def filled(engine: Engine) -> Engine:
    engine.run(*SCRIPT)
    if engine.name == "postgres":
        engine.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {engine.reader}")  # type: ignore[attr-defined]
    return engine


async def test_a_condition_meets_no_row_that_the_view_leaves_out(engine: Engine) -> None:
    visible = VisibleDatabase(filled(engine).open(), Visibility(hide=("secret",)))
    for condition in FAILING[engine.name]:
        for view in ("shown", "above", "shown AS s", "(SELECT * FROM above) q"):
            outcome = await visible.execute(f"SELECT id FROM {view} WHERE {condition}")
            assert outcome["rows"] == [[2]], (condition, view, outcome)


@pytest.mark.parametrize("name", ["postgres", "mariadb"])
async def test_that_condition_meets_it_where_nothing_is_hidden(make_engine: Callable[[str], Engine], name: str) -> None:
    engine = filled(make_engine(name))
    failed = [
        condition
        for condition in FAILING[name]
        if (await engine.open().execute(f"SELECT id FROM shown WHERE {condition}"))["status"] == "error"
    ]
    assert failed, "the engine runs the view's condition first, so that the test above can't fail"


async def test_a_view_of_visible_tables_keeps_its_indexes(engine: Engine) -> None:
    engine.run("CREATE VIEW names AS SELECT id, name FROM emp", "CREATE VIEW more AS SELECT * FROM names")
    filled(engine)
    if engine.name == "mariadb":
        engine.run(f"GRANT SHOW VIEW ON {engine.database}.* TO {engine.reader}")  # type: ignore[attr-defined]
    part = await VisibleDatabase(engine.open(), Visibility(hide=("secret",))).visible()
    assert part.partial == {"shown", "above"}
    part = await VisibleDatabase(engine.open(), Visibility(hide=("emp.rate",))).visible()
    assert part.partial == {"emp", "names", "more", "rich"}


async def test_in_takes_a_view_too(make_engine: Callable[[str], Engine]) -> None:
    engine = filled(make_engine("sqlite"))
    visible = VisibleDatabase(engine.open(), Visibility(hide=("secret",)))
    outcome = await visible.execute("SELECT (2, '2000pub') IN shown, (1, 'x') IN above")
    assert outcome["rows"] == [[1, 0]]


@pytest.mark.parametrize("module", ["fts3", "fts4", "fts5"])
async def test_a_search_reaches_no_hidden_column(make_engine: Callable[[str], Engine], module: str) -> None:
    engine = make_engine("sqlite")
    engine.run(
        f"CREATE VIRTUAL TABLE docs USING {module}(title, email)",
        "INSERT INTO docs VALUES ('hello', 'mk7doc')",
        "CREATE VIEW titles AS SELECT title FROM docs",
    )
    visible = VisibleDatabase(engine.open(), Visibility(hide=("docs.email",)))
    for table in ("docs", "titles", "docs AS d", "(SELECT title FROM docs) q"):
        for pattern in ("'email:mk7doc'", "'email:' || 'mk7doc'", "'email:mk7*'", "(SELECT 'email:mk7doc')"):
            outcome = await visible.execute(f"SELECT title FROM {table} WHERE title MATCH {pattern}")
            assert outcome["rows"] == [], (table, pattern)
    assert (await visible.execute("SELECT title FROM docs WHERE title MATCH 'hello'"))["rows"] == [["hello"]]
    assert (await visible.execute("SELECT title FROM docs WHERE title MATCH 'mk7doc'"))["rows"] == []


async def test_a_view_whose_definition_the_role_may_not_see_is_fenced(make_engine: Callable[[str], Engine]) -> None:
    part = await VisibleDatabase(filled(make_engine("mariadb")).open(), Visibility(hide=("secret",))).visible()
    assert part.partial >= {"shown", "above", "rich"}
