"""Hidden tables and columns stay hidden on every engine, and honest SQL on what is left runs."""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rights.visibility import Visibility

BASE = "SELECT 9 AS id, 'base' AS token"
STEP = "SELECT id + 1, token FROM secret WHERE id < 10"
SELF_REFERENCES = [
    "WITH RECURSIVE secret AS (SELECT * FROM secret) SELECT * FROM secret",
    "WITH RECURSIVE SECRET AS (SELECT * FROM secret) SELECT * FROM secret",
    "WITH secret AS (SELECT * FROM secret) SELECT * FROM secret",
    "WITH RECURSIVE secret AS (SELECT * FROM secret UNION ALL SELECT 2, 'x') SELECT * FROM secret",
    f"WITH RECURSIVE secret AS ({BASE} UNION ALL {STEP} UNION ALL {STEP}) SELECT * FROM secret",
    f"WITH RECURSIVE secret AS (SELECT * FROM secret UNION ALL {STEP}) SELECT * FROM secret",
    "WITH RECURSIVE secret AS (WITH z AS (SELECT * FROM secret) SELECT * FROM z) SELECT * FROM secret",
    f"WITH RECURSIVE secret AS (WITH z AS (SELECT * FROM secret) {BASE} UNION ALL SELECT * FROM z) "
    "SELECT * FROM secret",
    f"WITH RECURSIVE secret AS (SELECT * FROM ({BASE} UNION ALL SELECT * FROM secret) AS q) SELECT * FROM secret",
    "WITH RECURSIVE secret AS (WITH RECURSIVE secret AS (SELECT * FROM secret) SELECT * FROM secret) "
    "SELECT * FROM secret",
    f"WITH RECURSIVE a AS (SELECT * FROM secret), secret AS ({BASE}) SELECT * FROM a",
    'WITH RECURSIVE "Secret" AS (SELECT * FROM secret) SELECT * FROM "Secret"',
    "WITH RECURSIVE secret(id, token) USING KEY (id) AS (SELECT * FROM secret) SELECT * FROM secret",
    f"WITH RECURSIVE secret AS ({BASE} UNION BY NAME SELECT id, token FROM secret) SELECT * FROM secret LIMIT 3",
    f"WITH RECURSIVE secret AS ({BASE} UNION ALL BY NAME SELECT id, token FROM secret) SELECT * FROM secret LIMIT 3",
]
RECURSIONS = [
    f"WITH RECURSIVE secret AS ({BASE} UNION ALL {STEP}) SELECT * FROM secret",
    f"WITH RECURSIVE secret AS ({BASE} UNION {STEP}) SELECT * FROM secret",
    f"WITH RECURSIVE secret AS (WITH z AS ({BASE}) SELECT * FROM z UNION ALL {STEP}) SELECT * FROM secret",
]


def with_secret(make_engine: Callable[[str], Engine], name: str) -> Engine:
    engine = make_engine(name)
    engine.run(
        "CREATE TABLE secret (id INTEGER, token VARCHAR(20))",
        "INSERT INTO secret VALUES (1, 'MARKER')",
        *([f"GRANT SELECT ON secret TO {engine.reader}"] if name == "postgres" else []),  # type: ignore[attr-defined]
    )
    return engine


@pytest.mark.parametrize("name", ["sqlite", "duckdb", "postgres", "mariadb"])
async def test_a_self_reference_never_reads_the_hidden_table(make_engine: Callable[[str], Engine], name: str) -> None:
    visible = VisibleDatabase(with_secret(make_engine, name).open(), Visibility(hide=("secret",)))
    for query in SELF_REFERENCES:
        outcome = await visible.execute(query)
        # SQLite and MariaDB take it for a reference to itself in every part of a chain but the first.
        is_chain = query.count(STEP) == 2 and name in ("sqlite", "mariadb")
        assert is_chain or outcome["status"] in ("refused", "error"), query
        assert "MARKER" not in str(outcome), query
    for query in RECURSIONS:
        outcome = await visible.execute(query)
        assert outcome["rows"] == [[9, "base"], [10, "base"]], (query, outcome)


OUT_OF_SIGHT = [
    "SELECT * FROM ({inner}) AS q",
    "SELECT ({inner})",
    "SELECT id FROM secret WHERE token IN ({inner})",
    "SELECT id FROM secret ORDER BY ({inner})",
    "SELECT 'x' UNION SELECT ({inner})",
    "SELECT * FROM (dept JOIN ({inner}) AS q)",
    "SELECT * FROM (WITH y AS ({inner}) SELECT * FROM y) AS q",
]


@pytest.mark.parametrize("query", OUT_OF_SIGHT)
@pytest.mark.parametrize(
    "inner",
    [
        "WITH z AS (SELECT * FROM secret) SELECT token FROM z",
        "WITH secret AS (SELECT * FROM secret) SELECT token FROM secret",
        "WITH z AS (SELECT (SELECT token FROM secret) AS token) SELECT token FROM z",
    ],
)
async def test_mariadb_reads_the_table_where_a_common_table_expression_is_out_of_its_sight(
    make_engine: Callable[[str], Engine], query: str, inner: str
) -> None:
    visible = VisibleDatabase(with_secret(make_engine, "mariadb").open(), Visibility(hide=("secret",)))
    outcome = await visible.execute(f"WITH secret AS ({BASE}) " + query.format(inner=inner))
    assert outcome["status"] == "refused"
    plain = await visible.execute(f"WITH secret AS ({BASE}), y AS ({inner}) SELECT * FROM y")
    assert "MARKER" not in str(plain)


@pytest.mark.parametrize("spelling", ["'secret'", '"secret"', "[secret]", "`secret`", "'main'.'secret'"])
@pytest.mark.parametrize("operator", ["IN", "NOT IN"])
async def test_what_follows_in_is_a_table_to_sqlite(
    make_engine: Callable[[str], Engine], spelling: str, operator: str
) -> None:
    visible = VisibleDatabase(with_secret(make_engine, "sqlite").open(), Visibility(hide=("secret", "emp.rate")))
    query = f"SELECT (1, 'MARKER') {operator} {spelling}"
    for text in (query, f"SELECT name FROM dept WHERE EXISTS ({query})", query.replace("'main'", "main")):
        outcome = await visible.execute(text)
        assert (outcome["status"], outcome["rows"]) == ("error", []), text
    assert (await visible.execute("SELECT (1, 'Sales') IN 'dept', (1, 'x') IN main.'dept'"))["rows"] == [[1, 0]]
    assert (await visible.execute("SELECT 1 IN 'emp'"))["status"] == "refused"
    assert (await visible.execute("SELECT 1 IN 'sqlite_master'"))["status"] == "refused"


async def test_hiding_covers_what_inherits(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    engine.run(
        "CREATE TABLE parent (id INTEGER, v TEXT, h TEXT)",
        "CREATE TABLE child (extra TEXT) INHERITS (parent)",
        "CREATE TABLE other () INHERITS (parent)",
        "INSERT INTO parent VALUES (1, 'p', 'x')",
        "INSERT INTO child VALUES (2, 'SAMPLED', 'MARKER', 'e')",
        "INSERT INTO other VALUES (3, 'o', 'y')",
        f"GRANT SELECT ON parent, child, other TO {engine.reader}",  # type: ignore[attr-defined]
    )
    database = engine.open()
    shown = VisibleDatabase(database, Visibility(hide=("child",)))
    assert (await shown.execute("SELECT * FROM parent ORDER BY id"))["rows"] == [[1, "p", "x"], [3, "o", "y"]]
    assert (await shown.execute("SELECT p.id FROM ONLY parent AS p"))["rows"] == [[1]]
    assert (await shown.execute("SELECT * FROM child"))["status"] == "error"
    above = VisibleDatabase(database, Visibility(hide=("parent",)))
    for table in ("parent", "child", "other"):
        assert (await above.execute(f"SELECT * FROM {table}"))["status"] == "error"
    for column in ("parent.h", "child.h"):
        narrow = VisibleDatabase(database, Visibility(hide=(column,)))
        outcome = await narrow.execute("SELECT * FROM parent ORDER BY id")
        assert outcome["columns"] == ["id", "v"] and len(outcome["rows"]) == 3
        assert "MARKER" not in str(await narrow.execute("SELECT * FROM child"))
    assert "SAMPLED" not in str(await shown.schema())
    allowed = VisibleDatabase(database, Visibility(allow=("parent",)))
    assert len((await allowed.execute("SELECT * FROM parent"))["rows"]) == 3


async def test_hiding_covers_heirs_that_are_out_of_sight(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    engine.run(
        "CREATE TABLE parent (id INTEGER, v TEXT)",
        "CREATE TABLE middle () INHERITS (parent)",
        "CREATE TABLE child () INHERITS (middle)",
        "CREATE SCHEMA vault",
        "CREATE TABLE vault.far (w TEXT) INHERITS (parent)",
        "CREATE TABLE vault.base (id INTEGER, v TEXT)",
        "CREATE TABLE near () INHERITS (vault.base)",
        "INSERT INTO parent VALUES (1, 'p')",
        "INSERT INTO middle VALUES (2, 'm')",
        "INSERT INTO child VALUES (3, 'MARKER')",
        "INSERT INTO vault.far VALUES (4, 'MARKER', 'w')",
        "INSERT INTO near VALUES (5, 'n')",
        f"GRANT SELECT ON parent, child, near TO {engine.reader}",  # type: ignore[attr-defined]
    )
    database = engine.open()
    whole = await database.execute("SELECT id FROM parent ORDER BY id")
    assert whole["rows"] == [[1], [2], [3], [4]]
    for hide in (("child", "vault.far"), ("child", "vault.*"), ("chil?", "*.far")):
        rights = Visibility(hide=hide)
        shown = VisibleDatabase(database, rights, checked=rights)
        outcome = await shown.execute("SELECT * FROM parent ORDER BY id")
        # Rows of `middle`, which the role may not read by its name, go with those of the hidden heirs.
        assert outcome["rows"] == [[1, "p"]], hide
    below = VisibleDatabase(database, Visibility(hide=("vault.base",)))
    assert (await below.execute("SELECT * FROM near"))["status"] == "error"
    engine.run("CREATE TABLE vault.late () INHERITS (near)", "INSERT INTO vault.late VALUES (6, 'MARKER')")
    await database.fresh_schema()
    late = await VisibleDatabase(database, Visibility(hide=("vault.late",))).execute("SELECT * FROM near")
    assert late["rows"] == [[5, "n"]]


WORDS_OF_TABLES = [
    ("sqlite", "SELECT name FROM emp NOT INDEXED"),
    ("sqlite", "SELECT e.name FROM emp AS e INDEXED BY by_dept WHERE dept_id > 0"),
    ("sqlite", "SELECT indexed.name FROM emp AS indexed INDEXED  BY by_dept WHERE dept_id > 0"),
    ("mariadb", "SELECT name FROM emp USE INDEX (by_dept)"),
    ("mariadb", "SELECT e.name FROM emp e USE INDEX (by_dept) IGNORE INDEX FOR ORDER BY (by_dept) ORDER BY 1"),
    ("mariadb", "SELECT e.name FROM emp e FORCE INDEX FOR JOIN (by_dept) JOIN dept d ON d.id = e.dept_id"),
    ("postgres", "SELECT name FROM ONLY emp"),
    ("postgres", "SELECT name FROM emp *"),
    ("postgres", "SELECT name FROM emp TABLESAMPLE SYSTEM (100) REPEATABLE (42)"),
    ("postgres", "SELECT e.name FROM emp AS e TABLESAMPLE BERNOULLI (100), dept"),
    ("duckdb", "SELECT name FROM emp TABLESAMPLE 100%"),
    ("duckdb", "SELECT name FROM emp USING SAMPLE 10"),
    ("duckdb", "SELECT * RENAME (i AS x) FROM (SELECT name, id AS i FROM emp)"),
    ("duckdb", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM emp"),
]


@pytest.mark.parametrize(("name", "query"), WORDS_OF_TABLES)
async def test_words_that_only_a_table_takes(make_engine: Callable[[str], Engine], name: str, query: str) -> None:
    engine = make_engine(name)
    engine.run("CREATE INDEX by_dept ON emp (dept_id)")
    database = engine.open()
    whole, narrow = (
        await database.execute(query),
        await VisibleDatabase(database, Visibility(hide=("emp.rate",))).execute(query),
    )
    assert (narrow["status"], narrow["rows"]) == ("ok", whole["rows"])
    hidden = query.replace("name", "rate", 1).replace("ORDER BY id", "ORDER BY rate")
    assert (await VisibleDatabase(database, Visibility(hide=("emp.rate",))).execute(hidden))["status"] == "error"


async def test_a_sample_does_not_read_what_is_hidden(make_engine: Callable[[str], Engine]) -> None:
    visible = VisibleDatabase(make_engine("postgres").open(), Visibility(hide=("emp.rate",)))
    outcome = await visible.execute("SELECT name FROM emp TABLESAMPLE BERNOULLI ((SELECT max(rate) FROM emp))")
    assert outcome["status"] == "refused"


GENERATED = {
    "sqlite": ("domain VARCHAR(40) AS (upper({0}))", "copy TEXT GENERATED ALWAYS AS (domain || '') STORED"),
    "duckdb": ("domain VARCHAR AS (upper({0}))", "copy VARCHAR AS (domain || '')"),
    "postgres": ("domain text GENERATED ALWAYS AS (upper({0})) STORED",),
    "mariadb": ("domain VARCHAR(40) AS (upper({0}))", "copy VARCHAR(40) AS (concat(domain, '')) STORED"),
}


@pytest.mark.parametrize("name", GENERATED)
async def test_a_generated_column_is_hidden_with_its_source(make_engine: Callable[[str], Engine], name: str) -> None:
    engine = make_engine(name)
    mail, stored = ("`e mail`" if name == "mariadb" else '"e mail"', " STORED" if name == "postgres" else "")
    columns = ", ".join(column.format(mail) for column in GENERATED[name])
    engine.run(
        f"CREATE TABLE person (id INTEGER, {mail} VARCHAR(40), {columns}, "
        f"twice INTEGER GENERATED ALWAYS AS (id * 2){stored})",
        f"INSERT INTO person (id, {mail}) VALUES (1, 'marker')",
        *([f"GRANT SELECT ON person TO {engine.reader}"] if name == "postgres" else []),  # type: ignore[attr-defined]
    )
    visible = VisibleDatabase(engine.open(), Visibility(hide=("person.e mail",)))
    assert (await visible.schema()).names()["person"] == ["id", "twice"]
    assert (await visible.execute("SELECT * FROM person"))["rows"] == [[1, 2]]
    assert "MARKER" not in str(await visible.execute("SELECT domain FROM person"))
    chosen = VisibleDatabase(engine.open(), Visibility(allow=("person.domain",)))
    assert (await chosen.execute("SELECT * FROM person"))["rows"] == [["MARKER"]]
