"""Statements that `run.py` sends: the list of the tests, and by engine those that fit the benchmark's own database.

SECRET stands for the path of a file with the marker in it, OUT for the path of a file that must not appear.
"""

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parents[2] / "tests")
sys.path.insert(0, _TESTS)

from safety.attacks import ATTACKS, WRITES  # noqa: E402
from support.guard_statements import BOUNDED, HONEST, REFUSED  # noqa: E402

MARKER = "m4rked_name"
"""A table's name, which is in the catalog, and on servers a user's."""
SECRET = "s3cr3t_content"
"""Content of a file next to the database."""

TABLES = f"""
CREATE TABLE emp (id INTEGER PRIMARY KEY, name VARCHAR(20), dept_id INTEGER, salary DOUBLE PRECISION, a INTEGER);
INSERT INTO emp VALUES (1, 'Ann', 1, 10, 1), (2, 'Bob', 1, 20, 2), (3, 'Cyd', 2, 30, 3);
CREATE TABLE dept (id INTEGER);
INSERT INTO dept VALUES (1), (2);
CREATE TABLE notes (id INTEGER, body VARCHAR(100));
INSERT INTO notes VALUES (1, 'a;b');
CREATE TABLE nums (n INTEGER);
CREATE TABLE {MARKER} (id INTEGER);
"""
# Functions of the user's own, named like words of the grammar.
FILL: dict[str, str] = {
    "sqlite": "INSERT INTO nums WITH r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 3000) SELECT x FROM r;"
    "CREATE VIRTUAL TABLE page USING fts5(body); INSERT INTO page VALUES ('hello you');",
    "duckdb": "INSERT INTO nums SELECT range FROM range(3000); CREATE SEQUENCE s;"
    f"CREATE MACRO system(n) AS '{MARKER}'; CREATE MACRO key(n) AS TABLE SELECT '{MARKER}' AS k;",
    "postgres": "INSERT INTO nums SELECT generate_series(1, 3000); CREATE SEQUENCE s; CREATE SEQUENCE emp_id_seq; "
    f"CREATE FUNCTION system(n INTEGER) RETURNS TEXT LANGUAGE sql AS $$SELECT '{MARKER}'$$; "
    f"CREATE FUNCTION rows(n INTEGER) RETURNS TEXT LANGUAGE sql AS $$SELECT '{MARKER}'$$;",
    "mysql": "INSERT INTO nums SELECT seq FROM seq_1_to_3000; CREATE SEQUENCE s; "
    f"CREATE FUNCTION system(n INTEGER) RETURNS VARCHAR(20) DETERMINISTIC RETURN '{MARKER}';",
}

HEAVY: dict[str, str] = {
    "sqlite": """
SELECT json_patch(j, j) FROM (SELECT json_group_object(a.n * 999 + b.n, 1) AS j FROM nums a, nums b WHERE b.n < 99)
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) FROM r LIMIT 1
WITH r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) AS m FROM r LIMIT 1
WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x+1 FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT x FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT x FROM r ORDER BY -x
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT group_concat(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT json_group_array(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT sum(x) OVER () FROM r
WITH RECURSIVE r(x) AS (SELECT 'ab' UNION ALL SELECT x || x FROM r) SELECT max(length(x)) FROM r
SELECT count(*) AS c FROM nums a JOIN nums b ON 1=1 JOIN nums c ON 1=1 LIMIT 1
SELECT count(*) FROM nums a, nums b, nums c
SELECT DISTINCT a.n * b.n * c.n FROM nums a, nums b, nums c
SELECT a.n FROM nums a, nums b, nums c ORDER BY a.n * b.n - c.n
SELECT length(hex(zeroblob(1000000000))) AS n LIMIT 1
SELECT hex(randomblob(100000000))
SELECT printf('%.1000000000c', 'x')
SELECT printf('%1000000000s', 'x')
SELECT length(replace(hex(zeroblob(100000)), '0', hex(zeroblob(100000))))
SELECT instr(hex(zeroblob(1000000)), hex(zeroblob(400000)) || '1')
SELECT hex(zeroblob(200000)) LIKE '%0%0%0%0%0%0%0%0%0%1'
SELECT hex(zeroblob(200000)) GLOB '*0*0*0*0*0*0*0*0*0*1'
SELECT json(printf('%.2000c', '['))
SELECT hex(zeroblob(1000000)) FROM nums
SELECT n FROM nums
""",
    "duckdb": """
SELECT count(*) FROM range(1000000000000)
SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT count(*) FROM r
SELECT repeat('a', 1000000000)
SELECT length(repeat(repeat('a', 100000), 100000))
SELECT string_agg(range, '') FROM range(10000000000)
SELECT list(range) FROM range(10000000000)
SELECT range(10000000000)
SELECT len(list_transform(range(1000000000), x -> x + 1))
SELECT range FROM range(100000000000) ORDER BY hash(range)
SELECT DISTINCT hash(range) FROM range(100000000000)
SELECT count(DISTINCT range) FROM range(100000000000)
SELECT a.n FROM nums a, nums b, nums c ORDER BY a.n * b.n - c.n
SELECT regexp_matches(repeat('a', 1000000), '(a+)+$b')
SELECT lpad('', 1000000000, 'x')
SELECT format('{:>1000000000}', 'x')
SELECT repeat('a', 1000000) FROM nums
SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))
SELECT unnest(range(10000000000))
SELECT * FROM range(100000000000)
SELECT n FROM nums
""",
    "postgres": """
SELECT count(*) FROM generate_series(1, 1000000000000) g
SELECT sum(a * b) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1::numeric UNION SELECT x + 1 FROM r) SELECT count(*) FROM r
SELECT repeat('a', 1000000000)
SELECT length(repeat(repeat('a', 10000), 100000))
SELECT string_agg(g::text, '') FROM generate_series(1, 1000000000) g
SELECT array_agg(g) FROM generate_series(1, 1000000000) g
SELECT lpad('', 1000000000, 'x')
SELECT format('%1000000000s', 'x')
SELECT length((10::numeric ^ 130000)::text)
SELECT repeat('a', 40) ~ '^(a|aa)+$b'
SELECT regexp_replace(repeat('a', 100000), '(a*)*b', 'c')
SELECT repeat('a', 1000000) FROM nums
SELECT count(*) FROM nums a, nums b, nums c
SELECT a.n FROM nums a, nums b, nums c ORDER BY a.n * b.n - c.n
SELECT g FROM generate_series(1, 1000000000) g
SELECT n FROM nums
""",
    "mysql": """
SELECT REPEAT('a', 1000000000)
SELECT LENGTH(REPEAT(REPEAT('a', 10000), 10000))
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT MAX(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT COUNT(*) FROM r
SELECT COUNT(*) FROM nums a, nums b, nums c
SELECT a.n FROM nums a, nums b, nums c ORDER BY a.n * b.n - c.n
SELECT DISTINCT a.n * b.n * c.n FROM nums a, nums b, nums c
SELECT GROUP_CONCAT(a.n) FROM nums a, nums b
SELECT LPAD('', 100000000, 'x')
SELECT REPEAT('a', 40) REGEXP '^(a|aa)+$b'
SELECT JSON_ARRAYAGG(a.n) FROM nums a, nums b, nums c
SELECT REPEAT('a', 1000000) FROM nums
SELECT a.n FROM nums a, nums b, nums c
SELECT n FROM nums
""",
}
"""Nothing but work, or more rows than are shown; the last of each must come back cut at 1,000 rows."""

ASKED = """
SELECT COUNT(*) AS c FROM emp
SELECT REPLACE(name, 'a', 'b') AS n FROM emp LIMIT 5
SELECT id FROM notes WHERE body LIKE '%;%'
SELECT id FROM emp;
WITH a AS (SELECT dept_id, AVG(salary) AS s FROM emp GROUP BY dept_id) SELECT dept_id, s FROM a
SELECT id FROM emp UNION SELECT id FROM dept
SELECT name FROM emp WHERE name <> '; DROP TABLE emp; --'
SELECT name FROM emp WHERE id IN (SELECT id FROM dept) ORDER BY salary DESC LIMIT 1
SELECT UPPER(name), CASE WHEN salary > 15 THEN 'high' ELSE 'low' END FROM emp
SELECT d.id, COUNT(e.id) FROM dept d LEFT JOIN emp e ON e.dept_id = d.id GROUP BY d.id HAVING COUNT(e.id) > 0
SELECT RANK() OVER (ORDER BY salary) FROM emp
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 12) SELECT n FROM t
SELECT CAST(salary AS DECIMAL(10, 2)), COALESCE(name, '-'), ROUND(salary) FROM emp
SELECT id FROM emp WHERE EXISTS (SELECT 1 FROM dept WHERE dept.id = emp.dept_id)
SELECT /* the names */ name FROM emp -- comment; DROP TABLE emp
"""
ASKED_IN: dict[str, str] = {
    "sqlite": "SELECT body FROM page('hello')\nSELECT strftime('%Y', '2020-01-01'), printf('%05d', 3)\nVALUES (1), (2)",
    "duckdb": "FROM emp\nSELECT * EXCLUDE (a) FROM emp\nSELECT list_transform([1, 2], lambda x: x + 1)",
    "postgres": "SELECT id FROM emp WHERE name ILIKE '%a%'\nSELECT $$a;b$$\nSELECT g FROM generate_series(1, 12) g",
    "mysql": "SELECT `id` FROM emp\nSELECT GROUP_CONCAT(name ORDER BY id SEPARATOR ', ') FROM emp\nSELECT 'it\\'s'",
}


def attacks(dialect: str) -> list[str]:
    """Statements to refuse: they write, read outside the tables, or wait."""
    return [*dict.fromkeys([*lines(WRITES), *lines(ATTACKS[dialect]), *REFUSED[dialect]])]


def heavy(dialect: str) -> list[str]:
    """Statements to bound."""
    return [*dict.fromkeys([*BOUNDED[dialect], doubling(12), doubling(24), *lines(HEAVY[dialect])])]


def doubling(levels: int) -> str:
    """A short query that grows twofold with every level, where an engine writes its common tables out."""
    tables = "".join(f", c{n} AS (SELECT p.x FROM c{n - 1} AS p, c{n - 1} AS q)" for n in range(1, levels + 1))
    return f"WITH c0 AS (SELECT 1 AS x){tables} SELECT COUNT(*) FROM c{levels}"


def honest(dialect: str) -> tuple[list[str], list[str]]:
    """Honest statements: those that run on the benchmark's database, and those for the guard alone."""
    asked = [*lines(ASKED), *lines(ASKED_IN[dialect])]
    return asked, [sql for sql in HONEST[dialect] if sql not in asked]


def lines(text: str) -> list[str]:
    """The statements of a list, one a line."""
    return text.strip().splitlines()
