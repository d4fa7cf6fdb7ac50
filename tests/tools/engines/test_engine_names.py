"""Names on real engines: what stands for nothing is not sent, what stands for something runs.

The hidden cells contain `mk7`; no visible cell, name or literal does.
"""

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.visibility import Visibility

HIDE = Visibility(hide=("secret", "customer.email"))
SCRIPT = (
    "DROP VIEW IF EXISTS rich",
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(20), email VARCHAR(40))",
    "INSERT INTO customer VALUES (1, 'Ann', 'mk7mail1'), (2, 'Bob', 'mk7mail2')",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, amount INTEGER)",
    "INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20)",
    "CREATE TABLE secret (id INTEGER, token VARCHAR(20))",
    "INSERT INTO secret VALUES (1, 'mk7tok1')",
)
OWN_SCRIPT = {
    "postgres": (
        "CREATE TYPE address AS (city TEXT, zip TEXT)",
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TABLE person (id INTEGER, home address, homes address[], mood mood, doc JSONB)",
        "INSERT INTO person VALUES (1, ROW('Bern', '3000'), ARRAY[ROW('Bern', '3000')::address], 'glad', '{\"a\": 1}')",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    ),
    "duckdb": (
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE plan AS ENUM ('mk7plan')",
        "ALTER TABLE secret ADD COLUMN plan plan",
        "CREATE TABLE person (id INTEGER, home STRUCT(city VARCHAR, zip VARCHAR), homes STRUCT(city VARCHAR)[], "
        "mood mood)",
        "INSERT INTO person VALUES (1, {'city': 'Bern', 'zip': '3000'}, [{'city': 'Bern'}], 'glad')",
    ),
}

EVERYWHERE = (
    "SELECT email FROM customer",
    "SELECT c.email FROM customer c",
    "SELECT * FROM customer WHERE email LIKE 'm%'",
    "SELECT name FROM customer ORDER BY email",
    "SELECT count(*) FROM customer GROUP BY email",
    "SELECT count(*) FROM customer HAVING max(email) > 'a'",
    "SELECT c.id FROM customer c JOIN orders o ON c.email = o.id",
    "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM customer c WHERE c.email = 'x')",
    "SELECT (SELECT c.email) FROM customer c",
    "SELECT sum(c.id) OVER (PARTITION BY c.email) FROM customer c",
    "SELECT sum(c.id) OVER (ORDER BY c.email) FROM customer c",
    "SELECT CASE WHEN c.email > 'a' THEN 1 ELSE 0 END FROM customer c",
    "WITH a AS (SELECT id FROM customer) SELECT email FROM a",
    "WITH a AS (SELECT * FROM customer) SELECT email FROM a",
    "WITH a(id, email) AS (SELECT * FROM customer) SELECT token FROM a",
    "SELECT x.email FROM (SELECT * FROM customer) x",
    "SELECT id FROM orders UNION SELECT email FROM customer",
    "SELECT token FROM secret",
    "SELECT * FROM secret",
    "SELECT secret.* FROM customer",
    "SELECT c.name FROM customer c WHERE c.id IN (SELECT s.id FROM secret s)",
    "SELECT c.id, customer.email FROM customer c",
    "SELECT a.id FROM customer a JOIN customer b USING (email)",
    "SELECT id AS email FROM orders WHERE token = 1",
    "SELECT count(DISTINCT email) FROM customer",
    "SELECT coalesce(email, 'x') FROM customer",
)
HOSTILE: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "SELECT 1 IN secret",
        "SELECT (1, 'mk') IN main.secret",
        "SELECT customer.secret FROM customer",
        'SELECT c."email" FROM customer c',
        "SELECT c.[email] FROM customer c",
        "SELECT c.`email` FROM customer c",
    ),
    "mariadb": (
        "SELECT c.`email` FROM customer c",
        "SELECT `customer`.`email` FROM customer",
        "SELECT current_role",
        "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (id INT PATH '$')) t WHERE t.email = 1",
    ),
    "postgres": (
        "SELECT ($$select to_tsvector('simple', token) from secret$$::text).ts_stat",
        "SELECT x.t.ts_stat FROM (SELECT 'select 1'::text AS t) x",
        "SELECT (x.t).ts_stat FROM (SELECT 'select 1'::text AS t) x",
        "SELECT ((x).t).ts_stat FROM (SELECT 'select 1'::text AS t) x",
        "SELECT (x.t).\"ts_stat\" FROM (SELECT 'select 1'::text AS t) x",
        "SELECT (x.t).U&\"ts_stat\" FROM (SELECT 'select 1'::text AS t) x",
        "SELECT (x.t).TS_STAT FROM (SELECT 'select 1'::text AS t) x",
        "SELECT g.pg_sleep FROM generate_series(0, 0) g",
        "SELECT pg_sleep FROM generate_series(0, 0) g",
        "SELECT 1 FROM generate_series(0, 0) g WHERE g.pg_sleep IS NULL",
        "SELECT 1 FROM generate_series(0, 0) g GROUP BY g.pg_sleep",
        "SELECT 1 FROM generate_series(0, 0) g ORDER BY g.pg_sleep",
        "SELECT 1 FROM generate_series(0, 0) g HAVING max(g.pg_sleep) IS NULL",
        "SELECT sum(1) OVER (ORDER BY g.pg_sleep) FROM generate_series(0, 0) g",
        "SELECT CASE WHEN g.pg_sleep IS NULL THEN 1 END FROM generate_series(0, 0) g",
        "SELECT 1 FROM generate_series(0, 0) g JOIN orders o ON g.pg_sleep IS NULL",
        "SELECT 1 FROM generate_series(0, 0) g, LATERAL (SELECT g.pg_sleep) x",
        "SELECT v.column1.ts_stat FROM (VALUES ('select 1'::text)) v",
        "SELECT (v.column1).ts_stat FROM (VALUES ('select 1'::text)) v",
        "VALUES (('select 1'::text).ts_stat)",
        "WITH a AS (SELECT 'select 1'::text AS t) SELECT (a.t).ts_stat FROM a",
        "WITH a AS (SELECT 'select 1'::text AS t) SELECT (t).ts_stat FROM a",
        "SELECT (4242::bigint).pg_advisory_lock",
        "SELECT (customer).email FROM customer",
        "SELECT (c).email FROM customer c",
        "SELECT (c.*).email FROM customer c",
        "SELECT ((c)).email FROM customer c",
        "SELECT (row_to_json(c)).pg_read_file FROM customer c",
        "SELECT (ARRAY['select 1'])[1].ts_stat",
        "SELECT ((ARRAY['select 1'])[1]).ts_stat",
        "SELECT (CASE WHEN true THEN 'select 1'::text END).ts_stat",
        "SELECT (coalesce('select 1', 'x')).ts_stat",
        "SELECT (SELECT 'select 1'::text).ts_stat",
        "SELECT (home).ts_stat FROM person",
        "SELECT ((home).city).ts_stat FROM person",
        "SELECT (home).city.ts_stat FROM person",
        "SELECT (homes[1]).ts_stat FROM person",
        "SELECT (unnest(homes)).ts_stat FROM person",
        "SELECT h.ts_stat FROM person, unnest(homes) h",
        "SELECT (NULL::secret).*",
        "SELECT (NULL::public.secret).token",
        "SELECT (NULL::secret[])[1]",
        "SELECT CAST(NULL AS secret)",
        'SELECT \'10\'::"pg_catalog"."regrole"',
        "SELECT '{1}'::_regclass",
        "SELECT jsonb_populate_record(NULL::secret, '{}')",
        "SELECT t.x FROM jsonb_to_recordset('[]') AS t(x secret)",
        "SELECT user",
        "SELECT current_role",
        "SELECT o.tableoid FROM orders o",
        "SELECT o.query_to_xml FROM (SELECT 'select * from secret'::text) o(x)",
        "SELECT x.cursor_to_xml FROM (SELECT 'a'::text AS x) AS x",
        "SELECT x FROM (SELECT 'q'::text) AS t(y)",
    ),
    "duckdb": (
        "SELECT customer.email FROM (SELECT 1 AS customer)",
        "SELECT c.c.email FROM customer c",
        "SELECT (c).email FROM customer c",
        "SELECT struct_extract(c, 'email') FROM customer c",
        "SELECT c['email'] FROM customer c",
        "SELECT home.nope FROM person",
        "SELECT * EXCLUDE (id), email FROM customer",
        "SELECT COLUMNS('email') FROM customer",
        "SELECT * REPLACE (email AS name) FROM customer",
        "SELECT current_schema",
        "SELECT user",
        "SELECT NULL::secret",
        "SELECT enum_range(NULL::plan)",
        "SELECT 'x'::plan",
        "FROM secret",
        "PIVOT secret ON token USING count(*)",
        "SELECT [x.email for x in [c]] FROM customer c",
        "SELECT 'customer'::regclass",
    ),
}
FINE = (
    "SELECT * FROM customer",
    "SELECT c.* FROM customer c",
    "SELECT c.name, o.amount FROM customer c JOIN orders o ON o.customer_id = c.id ORDER BY o.amount",
    "SELECT customer.name FROM customer WHERE customer.id = 1",
    "SELECT name AS n FROM customer ORDER BY n",
    "SELECT name AS email FROM customer ORDER BY email",
    "WITH a AS (SELECT id, name FROM customer) SELECT a.name FROM a",
    "WITH a(x, y) AS (SELECT id, name FROM customer) SELECT x, y FROM a",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n FROM r",
    "SELECT x.n FROM (SELECT name AS n FROM customer) x",
    "SELECT id FROM customer UNION SELECT amount FROM orders ORDER BY id",
    "SELECT sum(amount) OVER (PARTITION BY customer_id ORDER BY id) AS s FROM orders",
    "SELECT count(*) AS n FROM orders GROUP BY customer_id HAVING count(*) >= 1",
    "SELECT CASE WHEN amount > 10 THEN 'big' ELSE 'small' END AS size FROM orders",
    "SELECT a.name FROM customer a JOIN customer b USING (id)",
    "SELECT name FROM customer c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
    "SELECT (SELECT max(o.amount) FROM orders o WHERE o.customer_id = c.id) AS m FROM customer c",
    "SELECT c.name FROM customer c NATURAL JOIN (SELECT id FROM orders) o",
    "SELECT current_date",
    "SELECT upper(name) FROM customer WHERE id IN (SELECT customer_id FROM orders)",
)
HONEST: dict[str, tuple[str, ...]] = {
    "sqlite": ('SELECT "no such name" AS x', "SELECT rowid FROM orders", "SELECT value FROM json_each('[1]')"),
    "mariadb": ("SELECT t.id FROM JSON_TABLE('[1]', '$[*]' COLUMNS (id INT PATH '$')) t",),
    "postgres": (
        "SELECT (home).city FROM person",
        "SELECT (p.home).zip FROM person p",
        "SELECT (home).* FROM person",
        "SELECT (homes[1]).city FROM person",
        "SELECT h.city FROM person, unnest(homes) h",
        "SELECT (unnest(homes)).city FROM person",
        "SELECT 'glad'::mood",
        "SELECT ROW('a', 'b')::address",
        "SELECT (ROW('a', 'b')::address).city",
        "SELECT g FROM generate_series(1, 2) g",
        "SELECT g.g FROM generate_series(1, 2) g",
        "SELECT k.key FROM person, jsonb_each(doc) k",
        "SELECT v.column1 FROM (VALUES (1)) v",
        "SELECT v.a FROM (VALUES (1)) v(a)",
        "SELECT x.y FROM customer c, LATERAL (SELECT c.id AS y) x",
        "SELECT row_to_json(c) FROM customer c",
        "SELECT u.e, u.ordinality FROM unnest(ARRAY[1]) WITH ORDINALITY AS u(e, ordinality)",
    ),
    "duckdb": (
        "SELECT home.city FROM person",
        "SELECT p.home.city FROM person p",
        "SELECT person.home.zip FROM person",
        "SELECT homes[1].city FROM person",
        "SELECT home['city'] FROM person",
        "SELECT unnest(home) FROM person",
        "SELECT 'glad'::mood AS m",
        "SELECT CAST('glad' AS mood) AS m",
        "SELECT * EXCLUDE (id) FROM customer",
        "SELECT * REPLACE (id + 1 AS id) FROM customer",
        "SELECT id + 1 AS n, n + 1 AS m FROM customer",
        "SELECT name.upper() FROM customer",
        "SELECT [x + 1 for x in [1, 2]] AS l",
        "SELECT range FROM range(2)",
        "FROM customer SELECT name",
        "SELECT c FROM customer c",
    ),
}


@pytest.fixture
def visible(engine: Engine) -> VisibleDatabase:
    engine.run(*SCRIPT, *OWN_SCRIPT.get(engine.name, ()))
    return VisibleDatabase(engine.open(), HIDE)


async def test_no_hostile_statement_runs(visible: VisibleDatabase, engine: Engine) -> None:
    ran = []
    for sql in (*EVERYWHERE, *HOSTILE[engine.name]):
        outcome = await visible.execute(sql)
        if outcome["status"] not in ("error", "refused") or "mk7" in str(outcome):
            ran.append((sql, outcome["status"], outcome["rows"]))
    assert ran == []


async def test_honest_statements_run(visible: VisibleDatabase, engine: Engine) -> None:
    failed = []
    for sql in (*FINE, *HONEST[engine.name]):
        outcome = await visible.execute(sql)
        if outcome["status"] != "ok" or "mk7" in str(outcome):
            failed.append((sql, outcome["status"], outcome["error"]))
    assert failed == []
