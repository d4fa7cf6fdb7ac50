"""Every name of a query is resolved: PostgreSQL's attribute notation above all, which calls functions."""

import pytest

from route_sql.tools.guard.check import check_sql, names_to_look_up
from route_sql.tools.schema.records import Column, Schema, Table

FIELDS = (
    Column("street", "text"),
    Column("city", "text"),
    Column("geo", "point_t", fields=(Column("lat", "real"), Column("lon", "real"))),
)
SCHEMA = Schema(
    "postgres",
    (
        Table(
            "person",
            (
                Column("id", "INTEGER"),
                Column("name", "TEXT"),
                Column("address", "address", fields=FIELDS),
                Column("homes", "address[]", fields=FIELDS),
                Column("mood", "mood"),
                Column("tags", "TEXT[]"),
                Column("doc", "JSONB"),
            ),
        ),
        Table(
            "orders",
            (
                Column("id", "INTEGER"),
                Column("person_id", "INTEGER"),
                Column("amount", "NUMERIC"),
                Column("MixedCase", "INT"),
            ),
        ),
    ),
)

CASES: list[tuple[str, str | None]] = [
    ("SELECT ($$select 1$$::text).ts_stat", "unknown_name"),
    ("SELECT g.pg_sleep FROM generate_series(1,1) g", "unknown_name"),
    ("SELECT (4242::bigint).pg_advisory_lock", "unknown_name"),
    ("SELECT (NULL::secret).*", "type"),
    ('SELECT \'10\'::"pg_catalog"."regrole"', "type"),
    ("SELECT '{1}'::_regclass", "type"),
    ("SELECT CAST(1 AS regclass)", "type"),
    ("SELECT regclass 'x'", "type"),
    ("SELECT x::string FROM (SELECT 1 x) y", "type"),
    ("SELECT (string '(1)').*", "type"),
    ("SELECT (t.x).* FROM jsonb_to_recordset('[]') AS t(x secret)", "type"),
    ("SELECT t.x FROM jsonb_to_recordset('[]') AS t(x object)", "type"),
    ("SELECT (address).city, (p.address).geo, ((p.address).geo).lat, (address).geo.lon FROM person p", None),
    ("SELECT (address).pg_sleep FROM person", "unknown_name"),
    ("SELECT (address).nope FROM person", "unknown_name"),
    ("SELECT (homes[1]).city FROM person", None),
    ("SELECT homes[1].city FROM person", None),
    ("SELECT (homes[1]).pg_ls_dir FROM person", "unknown_name"),
    ("SELECT h.city FROM person, unnest(homes) h", None),
    ("SELECT h.pg_sleep FROM person, unnest(homes) h", "unknown_name"),
    ("SELECT (unnest(homes)).city FROM person", None),
    ("SELECT (address).* FROM person", None),
    ("SELECT x.city FROM (SELECT (address).* FROM person) x", None),
    ("SELECT x.pg_sleep FROM (SELECT (address).* FROM person) x", "unknown_name"),
    ("SELECT row_to_json(p) FROM person p", None),
    ("SELECT p FROM person p", None),
    ("SELECT (SELECT p FROM person p LIMIT 1).name", None),
    ("SELECT (SELECT p FROM person p LIMIT 1).pg_ls_dir", "unknown_name"),
    ("SELECT (p).name FROM person p", None),
    ("SELECT (p).pg_sleep FROM person p", "unknown_name"),
    ("SELECT p.pg_sleep FROM person p", "unknown_name"),
    ("SELECT public.person.pg_sleep FROM person", "unknown_name"),
    ("SELECT public.person.name FROM person", None),
    ("SELECT name FROM person ORDER BY person.pg_sleep", "unknown_name"),
    ("SELECT count(*) FROM person p GROUP BY p.pg_sleep", "unknown_name"),
    ("SELECT count(*) FILTER (WHERE p.pg_sleep IS NULL) FROM person p", "unknown_name"),
    ("SELECT sum(id) OVER (PARTITION BY p.pg_sleep) FROM person p", "unknown_name"),
    ("SELECT CASE WHEN p.pg_sleep IS NULL THEN 1 END FROM person p", "unknown_name"),
    ("SELECT 1 FROM person p JOIN orders o USING (pg_sleep)", "unknown_name"),
    ("SELECT 1 FROM person p JOIN orders o USING (id)", None),
    ("WITH c AS (SELECT 1 AS a) SELECT c.pg_sleep FROM c", "unknown_name"),
    ("WITH c AS (SELECT 1 AS a) SELECT c.a FROM c", None),
    ("SELECT v.pg_sleep FROM (VALUES (1)) v", "unknown_name"),
    ("SELECT v.column1 FROM (VALUES (1)) v", None),
    ("SELECT v.a FROM (VALUES (1)) v(a)", None),
    ("SELECT x.pg_sleep FROM person p, LATERAL (SELECT p.id AS a) x", "unknown_name"),
    ("SELECT x.a FROM person p, LATERAL (SELECT p.id AS a) x", None),
    ("SELECT a.pg_sleep UNION SELECT 1", "unknown_name"),
    ("SELECT id FROM orders UNION SELECT o.pg_sleep FROM orders o", "unknown_name"),
    ("SELECT 1 FROM orders o WINDOW w AS (ORDER BY o.pg_sleep)", "unknown_name"),
    ("SELECT g.g, g, h.x, h.ordinality FROM generate_series(1,2) g, unnest(ARRAY[1]) WITH ORDINALITY h(x)", None),
    ("SELECT j.key, value FROM person, json_each(doc) j", None),
    ("SELECT j.pg_sleep FROM person, json_each(doc) j", "unknown_name"),
    ("SELECT x.a, b FROM jsonb_to_recordset('[]') AS x(a int, b text)", None),
    ("SELECT (array_agg(p ORDER BY p.id))[1].name FROM person p", None),
    ("SELECT (array_agg(p ORDER BY p.id))[1].pg_sleep FROM person p", "unknown_name"),
    ("SELECT (first_value(p) OVER (ORDER BY id)).name FROM person p", None),
    ("SELECT (name).upper, name.upper FROM person", "unknown_name"),
    ("SELECT (name).upper FROM person", None),
    ("SELECT (ROW(1,2)).f1", None),
    ("SELECT (json_each('{}')).key", None),
    ("SELECT (json_each('{}')).pg_sleep", "unknown_name"),
    ("SELECT user", "function"),
    ("SELECT current_role", "function"),
    ("SELECT current_schema", "function"),
    ("SELECT system_user", "function"),
    ("SELECT current_catalog", "function"),
    ("SELECT session_user", "function"),
    ("SELECT user AS x", "function"),
    ("SELECT 1 AS user", None),
    (
        "SELECT amount::character varying(5), amount::numeric(10,2), mood::text, 'x'::mood, NULL::address, "
        "amount::double precision FROM orders, person",
        None,
    ),
    ("SELECT (NULL::address).city", None),
    ("SELECT amount::double FROM orders", "type"),
    ('SELECT "MixedCase" FROM orders', None),
    ("SELECT MixedCase FROM orders", "unknown_name"),
    ('SELECT o."pg_sleep" FROM orders o', "unknown_name"),
    ("SELECT o . pg_sleep FROM orders o", "unknown_name"),
    ("SELECT max FROM (SELECT max(id) FROM orders) x", None),
    ("SELECT x.max, x.count FROM (SELECT max(id), count(*) FROM orders) x", None),
    ("SELECT DATE_PART(g.pg_sleep, x) FROM generate_series(1,1) g", "unknown_name"),
    ("SELECT secret FROM (SELECT 1) x", "unknown_name"),
    ("SELECT * FROM secret", "unknown_name"),
    ("SELECT (o.*).id FROM orders o", None),
    ("SELECT count(o.*), o.*::text FROM orders o", None),
    ("SELECT extract(year from o.pg_sleep) FROM orders o", "unknown_name"),
    (
        "SELECT id, amount FROM orders o WHERE EXISTS (SELECT 1 FROM person p WHERE p.id=o.person_id AND amount > 1)",
        None,
    ),
    ("SELECT name FROM person WHERE id IN (SELECT person_id FROM orders) ORDER BY lower(name)", None),
    ("SELECT amount AS a, count(*) n FROM orders GROUP BY a ORDER BY n DESC", None),
    ("SELECT amount AS a FROM orders WHERE a > 1", "unknown_name"),
    ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n<5) SELECT n, t.n FROM t", None),
    ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT t.pg_sleep FROM t) SELECT n FROM t", "unknown_name"),
    ("SELECT doc->>'a', doc#>>'{a}' FROM person", None),
    ("SELECT a COLLATE \"C\" FROM (SELECT 'x' AS a) t", None),
    ("SELECT ('x'::text).\"ts_stat\"", "unknown_name"),
    ("SELECT ((SELECT 'x'::text)).ts_stat", "unknown_name"),
    ("SELECT (x.y).ts_stat FROM (SELECT 'q'::text AS y) x", "unknown_name"),
    ("SELECT (ARRAY['q'])[1].ts_stat", "unknown_name"),
    ("SELECT (CASE WHEN true THEN 'q' END).ts_stat", "unknown_name"),
    ("SELECT ('q'||'w').ts_stat", "unknown_name"),
    ("SELECT (lower('q')).ts_stat", "unknown_name"),
    ("SELECT (lower('q')).ts_stat.x", "unknown_name"),
    ("SELECT ((address).city).ts_stat FROM person", "unknown_name"),
    ("SELECT (address).city.ts_stat FROM person", "unknown_name"),
    ("SELECT * FROM orders o WHERE o.pg_sleep IS NULL", "unknown_name"),
    ("SELECT * FROM orders LIMIT (SELECT g.pg_sleep FROM generate_series(1,1) g)", "unknown_name"),
    ("SELECT interval '1 day', date '2020-01-01', timestamp with time zone '2020-01-01', E'a', $$x$$", None),
    (
        "SELECT trim(leading 'x' from name), overlay(name placing 'b' from 1), position('a' in name), "
        "name AT TIME ZONE 'UTC', name LIKE 'a' ESCAPE 'b' FROM person",
        None,
    ),
    ("SELECT ctid FROM orders", None),
    ("SELECT o.tableoid FROM orders o", "unknown_name"),
]


@pytest.mark.parametrize(("sql", "code"), CASES)
def test_names_of_postgres(sql: str, code: str | None) -> None:
    refusal = check_sql(sql, SCHEMA, "postgres")
    assert (refusal.code if refusal else None) == code


def test_an_unknown_name_is_told_with_the_closest() -> None:
    refusal = check_sql("SELECT p.nam FROM person p", SCHEMA, "postgres")
    assert refusal is not None
    assert refusal.message == "unknown column p.nam. There is no column p.nam; close to it: name."


def test_without_a_schema_it_is_said_what_was_not_looked_up() -> None:
    assert names_to_look_up("SELECT a.b, c FROM a JOIN d USING (e)", "postgres") == ["a.b", "c", "a", "d", "e"]
    refusal = check_sql("SELECT g.pg_sleep FROM generate_series(1, 1) g", None, "postgres")
    assert refusal is not None and refusal.code == "unknown_name"


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql", "duckdb"])
def test_an_alias_does_not_mean_itself(dialect: str) -> None:
    sql = "SELECT coalesce(nam, 'x') AS nam, count(*) FROM person GROUP BY nam"
    refusal = check_sql(sql, SCHEMA, dialect)
    assert refusal is not None and refusal.message.endswith("close to it: name.")
    assert check_sql(sql, None, dialect) is None
    assert check_sql("SELECT b AS a, a AS b FROM person ORDER BY a", SCHEMA, dialect) is not None
