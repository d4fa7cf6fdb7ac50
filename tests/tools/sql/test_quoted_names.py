"""Unknown names in double quotes, which SQLite takes for texts."""

import pytest

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.quoted_names import name_read_as_text

PATIENT = Table("patient", (Column("id", "INTEGER"), Column("last name", "TEXT"), Column("age", "INTEGER")))


def sentence(sql: str, dialect: str = "sqlite") -> str | None:
    return name_read_as_text(sql, Schema(dialect, (PATIENT,)))


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "blood type" FROM patient',
        'SELECT id, "blood type" FROM patient',
        'SELECT DISTINCT "blood type" FROM patient',
        'SELECT AVG("weight") FROM patient',
        'SELECT COUNT(DISTINCT "blood type") FROM patient',
        'SELECT COUNT(*) FROM patient GROUP BY "blood type"',
        'SELECT id FROM patient ORDER BY "blood type" DESC',
    ],
)
def test_a_name_that_needs_a_column_is_doubted(sql: str) -> None:
    assert "reads it as a text" in str(sentence(sql))


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "last name" FROM patient',
        'SELECT "Last Name" FROM patient AS p',
        'SELECT id FROM patient WHERE "last name" = "Miller"',
        'SELECT id FROM patient WHERE "last name" IN ("Miller", "Smith")',
        'SELECT CASE WHEN age > 65 THEN "old" ELSE "young" END FROM patient',
        'SELECT "last name" || ", " || age FROM patient',
        'SELECT COUNT(*) AS "how many" FROM patient GROUP BY age ORDER BY "how many"',
        'WITH old AS (SELECT id AS "key" FROM patient) SELECT "key" FROM old',
        "SELECT MAX(age) FROM patient HAVING MAX(age) > 3",
        "no query",
    ],
)
def test_a_column_a_name_of_the_query_or_a_text_is_not(sql: str) -> None:
    assert sentence(sql) is None


def test_other_engines_refuse_such_a_name_themselves() -> None:
    assert sentence('SELECT "blood type" FROM patient', "postgres") is None
