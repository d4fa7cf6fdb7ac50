"""SQL out of a model's reply."""

import json
from collections.abc import Callable

import pytest

from route_sql.tools.sql.replies.reply import LONGEST, extract_sql

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
        f"```sql\nSELECT FROM WHERE\n```\nNo, rather:\n```sql\n{QUERY}\n```",
        f"```sql\nSELECT name FROM\n```\nis how it begins, and this is all:\n```\n{QUERY}\n```",
        f"{QUERY} (this assumes that all weights are in kilograms)",
        f"{QUERY} (this assumes lower case).\nThe names are returned.",
        f"Use the `pet` table: `{QUERY}` gives it.",
        f"`{QUERY}` or `SELECT 1`",
        f"It is ``{QUERY};``, as the column `weight` says.",
        f"<answer>To select the names, write\n{QUERY}\n</answer>",
        f"<answer>\n```sql\n{QUERY}\n```\n</answer>",
        f"<answer>We select the names.</answer>\n<sql>{QUERY}</sql>",
        f'{{"steps": "Select the names of heavy pets", "sql": "{QUERY}"}}',
        f'{{"title": "select the names", "query": "{QUERY};"}}',
        f"<sql>{QUERY}",
        f'{{"sql": "{QUERY}',
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
    "sql",
    [
        QUERY,
        "SELECT a\nFROM t\nWHERE b = 'x;\"y\"' AND c LIKE '%\\%' ESCAPE '\\'",
        'SELECT "a b", [c] FROM "t" WHERE "d" = \'é\'',
        "SELECT `name` FROM pet `p` WHERE `p`.`a` IN (1, 2) ORDER BY `name`",
        "SELECT a FROM t WHERE b = = 3",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x WHERE a < 2 AND a > 0",
        "(SELECT a FROM t) UNION (SELECT b FROM u)",
        "-- a comment\nSELECT a FROM t",
        "DELETE FROM t WHERE a = 'b'",
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda sql: json.dumps({"sql": sql}),
        lambda sql: json.dumps({"thought": 'The "t" table.', "query": f"{sql};"}, ensure_ascii=False, indent=2),
        lambda sql: f"Here:\n```json\n{json.dumps({'sql': sql, 'params': []})}\n```\nIt doesn't fail.",
        lambda sql: f"<sql>{sql}</sql>",
        lambda sql: f"Sure.\n<answer>\n{sql};\n</answer>\nThat's it.",
        lambda sql: f"<SQL>\n{sql}\n</SQL>",
    ],
)
def test_what_json_and_tags_hold_is_returned_as_it_is(sql: str, wrap: Callable[[str], str]) -> None:
    body = sql.removeprefix("-- a comment\n")
    assert extract_sql(wrap(sql), "mysql" if "`" in sql else "sqlite") == body


@pytest.mark.parametrize("sql", [QUERY, "SELECT `name` FROM pet `p` WHERE `p`.`a` IN (1, 2) ORDER BY `name`"])
@pytest.mark.parametrize("reply", ["`{}`", "Take `{}`.", "The column `a` is in `pet`, so `{}` (see `pet`) gives it."])
def test_inline_code_may_hold_names_in_backticks(sql: str, reply: str) -> None:
    assert extract_sql(reply.format(sql), "mysql") == sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM pet` WHERE weight > 3",
        "SELECT name FROM pet (weight > 3)",
        "SELECT name FROM pet WHERE a = = '</sql' AND b IN (1, 2)",
    ],
)
def test_a_mistake_that_looks_like_an_end_stays_in_the_sql(sql: str) -> None:
    assert extract_sql(sql, "sqlite") == sql


def test_an_answer_is_cut_behind_its_thinking_and_not_before() -> None:
    assert extract_sql(f"<think>{'Hm. ' * LONGEST}</think>{QUERY}", "sqlite") == QUERY
    assert extract_sql(f"{'Hm. ' * LONGEST}\n{QUERY}", "sqlite") is None


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
        ('{"sql": "DROP TABLE emp", "then": "SELECT 1"}', "DROP TABLE emp"),
        ("<sql>DROP TABLE emp</sql> <sql>SELECT 1</sql>", "DROP TABLE emp"),
        ("`DROP TABLE emp` or `SELECT 1`", "DROP TABLE emp"),
    ],
)
def test_a_write_is_not_hidden_by_a_query_behind_it(reply: str, first: str) -> None:
    assert extract_sql(reply, "sqlite") == first


@pytest.mark.parametrize("reply", ["", "   ", "I can't answer this.", "```json\n{}\n```", "<think>SELECT 1", ";"])
def test_no_sql_is_none(reply: str) -> None:
    assert extract_sql(reply, "sqlite") is None
