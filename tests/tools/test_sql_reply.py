"""SQL out of a model's reply."""

import pytest

from route_sql.tools.sql.reply import extract_sql

QUERY = "SELECT name FROM pet WHERE weight > 3"


@pytest.mark.parametrize(
    "reply",
    [
        QUERY,
        f"  {QUERY} ;\n",
        f"{QUERY};;",
        f"```sql\n{QUERY};\n```",
        f"```\n{QUERY}\n```",
        f"```sqlite\n{QUERY}",
        f"```{QUERY}```",
        f"Here you go:\n```sql\n{QUERY}\n```\nIt doesn't fail.",
        f'```json\n{{"a": 1}}\n```\n```sql\n{QUERY}\n```',
        f"SQL: {QUERY}",
        f"**SQL:** {QUERY}",
        f"sql\n{QUERY}",
        f"Sure! The SQL is:\n\n{QUERY}\n\nThis query returns the names.",
        f"{QUERY}\nThis query returns the names.",
        f"{QUERY}. This returns the names.",
        f"{QUERY};\n\nIt doesn't use 'x",
        f"{QUERY}; it doesn't",
        f"{QUERY}\n\nExplanation: we select the name.",
        f"{QUERY}\n\n- SELECT: picks",
        f"SQLQuery: {QUERY}\nSQLResult: 3",
        f"The answer is: `{QUERY}`.",
        f"{QUERY}<|im_end|>\n<|im_start|>user\nSELECT 1",
        f"<think>SELECT 1 would do; no.</think>{QUERY}",
        f"[INST] question [/INST] {QUERY} </s>",
        f"Select the names with this: {QUERY}",
        f"Select the name of each pet.\n\n{QUERY}",
        f"With the schema above we select rows:\n{QUERY}",
        f"To drop rows one would use DELETE FROM pet, but: {QUERY}",
        f"-- a comment; SELECT\n{QUERY}",
        f"{QUERY};\nSELECT other FROM thing;",
        f"SELECT FROM WHERE; {QUERY}",
    ],
)
def test_the_query_is_found_wherever_it_stands(reply: str) -> None:
    assert extract_sql(reply, "sqlite") == QUERY


@pytest.mark.parametrize(
    "sql",
    [
        "select name from pet",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select n from t",
        "(SELECT a FROM t) UNION (SELECT b FROM u)",
        "SELECT a FROM t WHERE b LIKE '%;%' AND c = 'it''s'",
        'SELECT "a;b" FROM t',
        "SELECT a -- it's; a comment\nFROM t",
        "SELECT a,\n\n  b\nFROM t",
        "SELECT a\nFROM t\nWHERE x = = 3\nORDER BY a",
        "SELECT name\nFROM pet\nWHERE pet.a = 1 JOIN of the\nGROUP BY name ORDER BY name",
    ],
)
def test_a_bare_statement_is_returned_as_it_is_right_or_wrong(sql: str) -> None:
    assert extract_sql(sql, "sqlite") == sql
    assert extract_sql(f"```sql\n{sql};\n```", "sqlite") == sql


@pytest.mark.parametrize(
    "cut",
    [
        "SELECT name FROM pet WHERE weight >",
        "SELECT name FROM pet WHERE name = 'Re",
        "SELECT name\nFROM pet\nWHERE name = 'Re",
        "SELECT name, COUNT(",
        "SELECT",
    ],
)
def test_a_reply_that_was_cut_off_gives_what_there_is(cut: str) -> None:
    assert extract_sql(f"```sql\n{cut}", "sqlite") == cut
    assert extract_sql(cut, "sqlite") == cut


@pytest.mark.parametrize(
    ("reply", "first"),
    [
        ("DROP TABLE emp; SELECT 1", "DROP TABLE emp"),
        ("```sql\nDROP TABLE emp;\n```\nor\n```sql\nSELECT 1\n```", "DROP TABLE emp"),
        ("/* report */ DELETE FROM emp", "DELETE FROM emp"),
        ("SQL: UPDATE emp SET a = 1; SELECT 1", "UPDATE emp SET a = 1"),
        (
            "WITH d AS (SELECT 2 AS id) DELETE FROM emp WHERE id IN (SELECT id FROM d)",
            "WITH d AS (SELECT 2 AS id) DELETE FROM emp WHERE id IN (SELECT id FROM d)",
        ),
        ("SELECT 1; DROP TABLE emp", "SELECT 1"),
    ],
)
def test_a_write_is_not_hidden_by_a_query_behind_it(reply: str, first: str) -> None:
    assert extract_sql(reply, "sqlite") == first


@pytest.mark.parametrize("reply", ["", "   ", "I can't answer this.", "```json\n{}\n```", "<think>SELECT 1", ";"])
def test_no_sql_is_none(reply: str) -> None:
    assert extract_sql(reply, "sqlite") is None
