"""What queries use and which of their names are unknown; SQLite itself is the judge of the corpus."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import TokenType

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.hardness import table_count
from route_sql.tools.sql.parsing import tokens
from route_sql.tools.sql.replies.reply import extract_sql
from route_sql.tools.sql.usage import misplaced_columns, parses, tables_and_columns, unknown_names

CORPUS = Path(__file__).parents[1] / "corpus"
QUERIES = (CORPUS / "queries.sql").read_text(encoding="utf-8").strip().split("\n\n")
NAMES = (TokenType.VAR, TokenType.IDENTIFIER)
UNKNOWABLE = re.compile(r"json_each|zzqx\(|zzqx\.pet\.name")
"""Names that are not judged: columns and names of table functions, the database's name."""


@pytest.fixture(scope="module")
def clinic() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((CORPUS / "schema.sql").read_text(encoding="utf-8"))
        yield connection


@pytest.fixture(scope="module")
def schema(clinic: sqlite3.Connection) -> Schema:
    listed = clinic.execute("SELECT name, type = 'view' FROM sqlite_master").fetchall()
    return Schema("sqlite", tuple(_table(clinic, name, bool(is_view)) for name, is_view in listed))


def _table(connection: sqlite3.Connection, name: str, is_view: bool) -> Table:
    info = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
    return Table(name, tuple(Column(row[1], row[2]) for row in info), is_view=is_view)


def _complaint(connection: sqlite3.Connection, sql: str) -> str:
    try:
        connection.execute(sql).fetchall()
    except sqlite3.Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize("sql", QUERIES)
def test_every_query_of_the_corpus_stands(sql: str, clinic: sqlite3.Connection, schema: Schema) -> None:
    assert _complaint(clinic, sql) == ""
    assert parses(sql, "sqlite") is None
    assert unknown_names(sql, schema) == []
    assert continuable_prefix(sql, schema) == sql
    assert extract_sql(f"Here:\n```sql\n{sql};\n```\nIt doesn't fail.", "sqlite") == sql
    for key, columns in tables_and_columns(sql, schema).items():
        assert (table := schema.table(key)) is not None and table.key == key
        assert set(columns) <= {column.name for column in table.columns}


@pytest.mark.parametrize("sql", QUERIES)
def test_a_name_is_unknown_if_and_only_if_sqlite_says_so(sql: str, clinic: sqlite3.Connection, schema: Schema) -> None:
    for token in tokens(sql, "sqlite") or []:
        broken = f"{sql[: token.start]}zzqx{sql[token.end + 1 :]}"
        if token.token_type not in NAMES or UNKNOWABLE.search(broken):
            continue
        complaint = _complaint(clinic, broken)
        refused = re.match("no such (column|table)|cannot join using|1st ORDER BY term", complaint)
        unknown = unknown_names(broken, schema)
        assert bool(unknown) == bool(refused), (broken, complaint)
        prefix = continuable_prefix(broken, schema)
        assert not unknown or (broken.startswith(prefix) and prefix != broken)
        assert all(broken[name.start : name.end] == name.name for name in unknown)


@pytest.mark.parametrize(
    ("sql", "link"),
    [
        ("SELECT COUNT(*) FROM visit", {"visit": []}),
        ("SELECT NAME FROM PET WHERE Weight > 1", {"pet": ["name", "weight"]}),
        (
            "SELECT d.* FROM dog AS d JOIN vet ON vet.vet_id = d.pet_id",
            {"vet": ["vet_id"], "dog": ["pet_id", "name"]},
        ),
        ("SELECT name FROM pet NATURAL JOIN owner", {"owner": ["owner_id"], "pet": ["name", "owner_id"]}),
        (
            "SELECT dose FROM drug JOIN visit_drug USING (drug_id)",
            {"drug": ["drug_id"], "visit_drug": ["drug_id", "dose"]},
        ),
        ("SELECT k FROM (SELECT fee AS k FROM visit) ORDER BY k", {"visit": ["fee"]}),
        ("WITH pet AS (SELECT day FROM visit) SELECT day FROM pet", {"visit": ["day"]}),
        (
            "SELECT 1 FROM owner WHERE 1 IN (SELECT 2 FROM pet WHERE pet.owner_id = City)",
            {"owner": ["City"], "pet": ["owner_id"]},
        ),
        ("SELECT city AS day FROM owner ORDER BY day", {"owner": ["City"]}),
        ('SELECT name FROM pet WHERE species = "dog"', {"pet": ["name", "species"]}),
        ("SELECT rowid FROM pet", {"pet": []}),
        ("SELECT nope FROM nowhere", {}),
        ("DROP TABLE pet", {}),
        ("not SQL at all (", {}),
    ],
)
def test_tables_and_columns(sql: str, link: dict[str, list[str]], schema: Schema) -> None:
    assert tables_and_columns(sql, schema) == link


def test_unknown_names_come_with_close_ones_and_owners(schema: Schema) -> None:
    [petid] = unknown_names("SELECT p.name FROM pet AS p WHERE p.petid = 1", schema)
    assert (petid.name, petid.kind, petid.closest[0], petid.owners) == ("p.petid", "column", "pet_id", ())
    [table] = unknown_names("SELECT name FROM pets", schema)
    assert (table.name, table.kind, table.closest) == ("pets", "table", ("pet",))
    [fee] = unknown_names("SELECT name FROM pet WHERE fee > 3", schema)
    assert (fee.name, fee.owners) == ("fee", ("visit",))
    [elsewhere] = unknown_names("SELECT name FROM pet WHERE owner.City = 'Oslo'", schema)
    assert (elsewhere.name, elsewhere.owners) == ("owner.City", ("owner",))
    [backticks] = unknown_names("SELECT name FROM pet WHERE `nope` = 1", schema)
    assert backticks.name == "`nope`"


@pytest.mark.parametrize(
    ("sql", "link"),
    [
        ("SELECT name FROM pet WHERE fee > 3 AND p.DAY = '2023-01-01'", {"visit": ["fee", "day"]}),
        ("SELECT Full_Name, weight FROM visit", {"owner": ["full_name"], "vet": ["full_name"], "pet": ["weight"]}),
        ("SELECT name FROM pet WHERE nope = 1", {}),
        ("SELECT drug_id FROM pet", {"drug": ["drug_id"], "visit_drug": ["drug_id"], "order": ["drug_id"]}),
        ("not SQL at all (", {}),
    ],
)
def test_misplaced_columns(sql: str, link: dict[str, list[str]], schema: Schema) -> None:
    assert misplaced_columns(sql, schema) == link


def test_a_column_that_many_tables_have_is_not_misplaced() -> None:
    tables = [Table(f"part_{n}", (Column("id", "INTEGER"), Column("size", "REAL"))) for n in range(4)]
    schema = Schema("sqlite", (Table("box", (Column("id", "INTEGER"),)), *tables))
    assert misplaced_columns("SELECT size FROM box", schema) == {}
    assert len(misplaced_columns("SELECT size FROM box", Schema("sqlite", schema.tables[:-1]))) == 3


def test_derived_tables_do_not_see_their_neighbours(schema: Schema) -> None:
    sql = "SELECT 1 FROM owner JOIN (SELECT fee FROM visit WHERE city = 'Oslo') AS v"
    assert [name.name for name in unknown_names(sql, schema)] == ["city"]


def test_an_alias_used_twice_gives_no_names(schema: Schema) -> None:
    sql = "SELECT x.name FROM pet AS x JOIN owner AS x ON 1 = 1"
    assert unknown_names(sql, schema) == []
    assert tables_and_columns(sql, schema) == {}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 3_000,
        "SELECT " + "a, " * 3_000 + "b FROM",
        "SELECT name FROM pet" + " JOIN pet" * 300,
        "SELECT name FROM pet JOIN " * 200,
        "SELECT " + "( UNION " * 200,
        "SELECT '" * 2_000,
        "x " * 5_000,
        "it's\n" * 2_000 + "SELECT 1",
        "```" * 2_000 + "SELECT 1",
        "WITH " * 2_000,
    ],
)
@pytest.mark.timeout(60)
def test_a_model_that_repeats_itself_costs_little(text: str, schema: Schema) -> None:
    """Some of these take a parser years: its time doubles with each repetition."""
    assert parses(text, "sqlite") is not None
    unknown_names(text, schema)
    extract_sql(text, "sqlite")
    prefix = continuable_prefix(text, schema)
    assert prefix == "SELECT" or text.startswith(prefix)


def test_table_count_is_by_parsing(schema: Schema) -> None:
    assert table_count("SELECT 1 FROM pet AS a JOIN PET AS b JOIN owner", schema) == 2
    assert table_count("WITH x AS (SELECT * FROM pet) SELECT * FROM x JOIN vet JOIN nowhere", schema) == 3
    assert table_count("SELECT 'FROM a JOIN b JOIN c'", schema) == 0
    assert table_count("SELEC", schema) == 0


def test_namespaces_are_part_of_a_table_name() -> None:
    sales = Table("orders", (Column("id", "int"),), namespace="sales")
    schema = Schema("postgres", (sales, Table("orders", (Column("day", "date"),))))
    assert tables_and_columns("SELECT id FROM sales.orders", schema) == {"sales.orders": ["id"]}
    assert tables_and_columns("SELECT day FROM public.orders", schema) == {"orders": ["day"]}


def test_parses_says_where(schema: Schema) -> None:
    message = parses("SELECT name\nFROM pet WHERE ORDER BY name", "sqlite")
    assert message is not None and "line 2" in message and len(message) < 200


SQL_LIKE = st.lists(
    st.sampled_from([*"()'\"`[]*,.;= \n1x", *"SELECT FROM WITH AS pet name CASE END JOIN ON WHERE IN --".split()])
)


@settings(max_examples=150)
@given(text=st.one_of(st.text(max_size=60), SQL_LIKE.map(" ".join)))
def test_no_text_is_too_much(text: str) -> None:
    schema = Schema("sqlite", (Table("pet", (Column("name", "TEXT"),)),))
    unknown_names(text, schema)
    tables_and_columns(text, schema)
    extract_sql(text, "sqlite")
    prefix = continuable_prefix(text, schema)
    assert prefix == "SELECT" or prefix in text
