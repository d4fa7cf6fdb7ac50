"""Attacks on rights that were open once, for the database of `fuzz.py`: none may show a hidden value.

`some_tokens` is a view that leaves out a hidden row, for which alone the conditions fail.
"""

from route_sql.tools.database.visible import VisibleDatabase

WORK = "lower(upper(lower(upper(lower(upper(token))))))"
"""So much work that an engine may run other conditions first."""
SCRIPT = (f"CREATE VIEW some_tokens AS SELECT id, token AS word FROM secret WHERE {WORK} LIKE '%2'",)
OWN_SCRIPT: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE VIRTUAL TABLE docs USING fts4(title, note)",
        "INSERT INTO docs VALUES ('hello', 'mk7nick9')",
    ),
    "postgres": (
        "CREATE VIEW rows AS SELECT id, c AS whole, ARRAY[c] AS list FROM customer c",
        "CREATE TABLE past (id INTEGER, old customer)",
        "INSERT INTO past SELECT id, c FROM customer c",
        "CREATE SCHEMA far",
        "CREATE TABLE base (id INTEGER, v TEXT)",
        "CREATE TABLE far.below (w TEXT) INHERITS (base)",
        "INSERT INTO far.below VALUES (1, 'mk7heir', 'x')",
        "CREATE FUNCTION system(n INTEGER) RETURNS TEXT LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT max(token) FROM secret'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    ),
    "duckdb": (
        "CREATE MACRO system(n) AS (SELECT max(token) FROM secret)",
        "CREATE TYPE plan AS ENUM ('mk7tok9')",
        "ALTER TABLE secret ADD COLUMN plan plan",
    ),
}
ATTACKS: dict[str, str] = {
    "sqlite": """
SELECT (1, 'x') IN 'secret' 'a'
SELECT (1, 'x') IN main.'secret' 'a'
SELECT (1, 'x') IN N'secret'
SELECT title FROM docs WHERE title MATCH 'note:mk7nick9'
SELECT title FROM docs WHERE title MATCH 'note:' || 'mk7nick9'
SELECT id FROM some_tokens WHERE CASE WHEN word LIKE '%1' THEN abs(-9223372036854775807 - id) ELSE 1 END
""",
    "duckdb": """
SELECT system(1)
SELECT histogram(email) FROM customer
FROM histogram(secret, token)
WITH a AS (TABLE secret) FROM a
SELECT json_transform('1', '"plan"')
SELECT from_json('["x"]', '["plan"]')
SELECT json_transform('{}', json('{"a": "plan"}'))
SELECT * FROM orders PIVOT (sum(amount) FOR customer_id IN plan)
SELECT id FROM some_tokens WHERE CASE WHEN word LIKE '%1' THEN CAST(word AS INTEGER) = 1 ELSE true END
SELECT id FROM some_tokens WHERE strptime(word, '%Y') > DATE '2020-01-01'
""",
    "postgres": """
SELECT system(1)
WITH a AS (TABLE secret) TABLE a
SELECT j.email FROM customer c JOIN customer d USING (email) AS j
SELECT old FROM past
SELECT to_json(old) FROM past
SELECT row_to_json(p) FROM past p
SELECT whole FROM rows
SELECT list[1] FROM rows
SELECT to_jsonb(r) FROM rows r
SELECT jsonb_populate_record(old, '{}') FROM past
SELECT pg_typeof(old) FROM past
SELECT (old).email FROM past
SELECT * FROM base
SELECT * FROM heir
SELECT id FROM some_tokens WHERE CAST(word AS INTEGER) = 1
SELECT id FROM some_tokens WHERE CASE WHEN word LIKE '%1' THEN 1 / (id - id) = 1 ELSE true END
SELECT id FROM some_tokens WHERE to_date(word, 'YYYY') IS NOT NULL
""",
    "mysql": """
SELECT id FROM some_tokens WHERE CASE WHEN word LIKE '%1' THEN 18446744073709551615 + id ELSE 1 END
SELECT id FROM some_tokens WHERE CASE WHEN word LIKE '%1' THEN (SELECT 1 UNION SELECT 2) ELSE 1 END
""",
}
"""Statements, one a line."""


async def breaches(database: VisibleDatabase, markers: tuple[str, ...]) -> list[str]:
    """The attacks on a database that showed a hidden value.

    The view's visible row, of which only the id is selected, may be in an error. A CASE fails for hidden rows alone.
    """
    found = []
    for sql in ATTACKS[database.dialect].strip().splitlines():
        outcome = await database.execute(sql)
        said = str(outcome)
        if "some_tokens" in sql:
            is_told = "mk7tok1" in said or ("CASE" in sql and outcome["status"] != "ok")
        else:
            is_told = any(marker in said for marker in markers)
        if is_told:
            found.append(sql)
    return found
