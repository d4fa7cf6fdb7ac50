"""SQL that makes a database hostile to programs that read its schema; each runs after a table `t` with one row."""

ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)"
OBJECT = (
    "(WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000) "
    "SELECT json_group_object('{}' || x, x) FROM r)"
)
PATCH = f"json_patch({OBJECT.format('a')}, {OBJECT.format('b')})"


def chain(levels: int, body: str) -> str:
    """Views that each read the one before more than once."""
    views = "".join(f"CREATE VIEW v{n} AS {body.format(n - 1)};" for n in range(1, levels + 1))
    return f"CREATE VIEW v0 AS SELECT a FROM t;{views}"


SQLITE: dict[str, dict[str, str]] = {
    "views and columns of large values": {
        "zeroblob": "CREATE VIEW v AS SELECT zeroblob(900000000) AS b",
        "hex": "CREATE VIEW v AS SELECT hex(zeroblob(400000000)) AS b",
        "printf": "CREATE VIEW v AS SELECT printf('%.900000000c', 'x') AS b",
        "printf, many letters": "CREATE VIEW v AS SELECT printf('%.100000000c%.100000000c%.100000000c', 1, 2, 3) AS b",
        "replace": "CREATE VIEW v AS SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(100000))) AS b",
        "group_concat": f"CREATE VIEW v AS {ENDLESS} SELECT group_concat(x) AS b FROM r",
        "json_group_array": f"CREATE VIEW v AS {ENDLESS} SELECT json_group_array(x) AS b FROM r",
        "sort": f"CREATE VIEW v AS {ENDLESS} SELECT x FROM r ORDER BY -x",
        "distinct": f"CREATE VIEW v AS {ENDLESS} SELECT DISTINCT x FROM r ORDER BY 1",
        "window": f"CREATE VIEW v AS {ENDLESS} SELECT sum(x) OVER () AS b FROM r",
        "generated column": "CREATE TABLE g (a, b AS (hex(zeroblob(a * 400000000)))); INSERT INTO g (a) VALUES (1)",
        "many generated columns": "CREATE TABLE g (a, "
        + ", ".join(f"b{n} AS (zeroblob(a * 90000000))" for n in range(99))
        + "); INSERT INTO g (a) VALUES (1)",
        "stored": "CREATE TABLE g (a); INSERT INTO g SELECT zeroblob(30000000) FROM t; "
        + "INSERT INTO g SELECT a FROM g; " * 3,
    },
    "work without end": {
        "view": f"CREATE VIEW v AS {ENDLESS} SELECT max(x) AS x FROM r",
        "view, late first row": f"CREATE VIEW v AS {ENDLESS} SELECT x FROM r WHERE x < 0",
        "twenty views": "".join(f"CREATE VIEW v{n} AS {ENDLESS} SELECT max(x) AS x FROM r;" for n in range(20)),
        "one step": f"CREATE VIEW v AS SELECT length({PATCH}) AS n",
        "one step, six views": "".join(f"CREATE VIEW v{n} AS SELECT {PATCH} AS n;" for n in range(6)),
        "one step in a generated column": "CREATE TABLE g (a, b AS (instr(hex(zeroblob(a * 1000000)), "
        "hex(zeroblob(a * 400000)) || '1'))); INSERT INTO g (a) VALUES (NULL); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET sql = replace(sql, 'zeroblob(a *', 'zeroblob(') WHERE name = 'g'",
        "LIKE": "CREATE VIEW v AS SELECT hex(zeroblob(200000)) LIKE '%0%0%0%0%0%0%0%0%0%1' AS b",
        "self-joining views": chain(28, "SELECT x.a FROM v{0} x JOIN v{0} y"),
        "views that unite themselves": chain(28, "SELECT a FROM v{0} UNION SELECT a FROM v{0}"),
        "views in subqueries": chain(28, "SELECT (SELECT a FROM v{0}) + (SELECT a FROM v{0}) AS a"),
        "views in a circle": "CREATE VIEW v AS SELECT * FROM w; CREATE VIEW w AS SELECT * FROM v",
        "common tables": "CREATE VIEW v AS WITH c0 AS (SELECT 1 AS x)"
        + "".join(f", c{n} AS (SELECT p.x FROM c{n - 1} p, c{n - 1} q)" for n in range(1, 25))
        + " SELECT count(*) AS n FROM c24",
        "index on an expression": "CREATE TABLE g (a); CREATE INDEX i ON g (hex(zeroblob(a))); "
        "CREATE TRIGGER e AFTER INSERT ON g BEGIN DELETE FROM t; END",
    },
    "many and long things": {
        "large schema": "".join(f"CREATE VIEW v{n} AS SELECT '{'x' * 900_000}' AS a;" for n in range(20)),
        "2,000 tables": "".join(f"CREATE TABLE n{n} (a, b);" for n in range(2_000)),
        "2,000 views": "".join(f"CREATE VIEW n{n} AS SELECT a FROM t;" for n in range(2_000)),
        "2,000 columns": f"CREATE TABLE g ({', '.join(f'c{n}' for n in range(2_000))}); INSERT INTO g (c1) VALUES (1)",
        "3,000 foreign keys": "".join(
            f"CREATE TABLE n{n} (a REFERENCES n{(n + 1) % 3_000} (a));" for n in range(3_000)
        ),
        "a long name": f'CREATE TABLE "{"x" * 500_000}" (a)',
        "long column names": f'CREATE TABLE g ("{"x" * 400_000}" INT, "{"y" * 400_000}" INT)',
        "a long type": f"CREATE TABLE g (a {'LONG ' * 100_000}); INSERT INTO g VALUES (1)",
        "a long comment": f"CREATE TABLE g (a /* {'x' * 900_000} */)",
        "a long default": f"CREATE TABLE g (a DEFAULT '{'x' * 900_000}')",
        "names of control characters": 'CREATE TABLE "\x1b]52;c;AAAA\x07\u202e\n\n--" ("\x1b[2J" INT, "a\nb" INT)',
        "cells of control characters": "CREATE TABLE g (a TEXT); INSERT INTO g VALUES (char(27, 93, 7, 0, 8238))",
        "text that is not UTF-8": "CREATE TABLE g (a TEXT); INSERT INTO g VALUES (CAST(x'ff00fe80c0' AS TEXT))",
        "UTF-16 with a half character": "CREATE TABLE g (a TEXT); INSERT INTO g VALUES (char(55296)), (char(57343))",
        "infinity": "CREATE TABLE g (a REAL); INSERT INTO g VALUES (9e999), (-9e999), (NULL)",
        "names twice": 'CREATE TABLE g ("a" INT, "A " INT, " a" INT); CREATE TABLE "g " (a); CREATE TABLE "G\t" (a)',
        "words of the language": 'CREATE TABLE "select" ("from" INT, "where" INT, "" INT); CREATE TABLE "" (a)',
    },
    "parts that are not here": {
        "collation": "CREATE TABLE g (a TEXT COLLATE NOCASE); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET sql = replace(sql, 'NOCASE', 'LOCALIZED') WHERE name = 'g'",
        "names that are text": "CREATE VIEW v AS SELECT unknown(a) AS a FROM t; PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET sql = CAST(replace(CAST(sql AS BLOB), 'unknown', x'ff80') AS TEXT) WHERE name = 'v'",
        "function in a view": "CREATE VIEW v AS SELECT unknown(a) AS a FROM t",
        "table of a view": "CREATE VIEW v AS SELECT a FROM gone",
        "module": "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES "
        "('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING unknown(a, b)')",
        "extension module": "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES "
        "('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING csv(filename = ''/etc/hostname'')')",
        "page of a table": "CREATE TABLE g (a); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET rootpage = 4000000000 WHERE name = 'g'",
        "page twice": "CREATE TABLE g (a); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET rootpage = 2 WHERE name = 'g'",
        "first page as a table": "CREATE TABLE g (a); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET rootpage = 1 WHERE name = 'g'",
        "statement of a table": "CREATE TABLE g (a); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET sql = 'CREATE TABLE g (' WHERE name = 'g'",
        "another statement": "CREATE TABLE g (a); PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET sql = 'DROP TABLE t' WHERE name = 'g'",
        "shadow tables": "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('x'); "
        "DELETE FROM f_data WHERE id > 1; UPDATE f_config SET v = 99",
        "statistics": "CREATE INDEX i ON t (a); ANALYZE; UPDATE sqlite_stat1 SET stat = '9e99 sz=-1 unordered'",
        "nothing": "DROP TABLE t",
    },
}
KEEPS_NO_TABLE = {"statement of a table", "another statement", "nothing", "page twice", "first page as a table"}
"""After these SQLite itself can't read the table, or it is gone."""

DUCKDB: dict[str, dict[str, str]] = {
    "DuckDB: views of large values": {
        "repeat": "CREATE VIEW v AS SELECT repeat('x', 1000000000) AS b",
        "list": "CREATE VIEW v AS SELECT range(1000000000) AS b",
        "string_agg": "CREATE VIEW v AS SELECT string_agg(range, '') AS b FROM range(10000000000)",
        "sort": "CREATE VIEW v AS SELECT range AS b FROM range(100000000000) ORDER BY hash(range)",
        "many rows": "CREATE VIEW v AS SELECT repeat('x', 1000000) AS b FROM range(100000)",
        "generated column": "CREATE TABLE g (a BIGINT, b AS (repeat('x', a))); INSERT INTO g VALUES (300000000)",
    },
    "DuckDB: work without end": {
        "view": "CREATE VIEW v AS SELECT sum(x.range * y.range) AS s FROM range(10000000) x, range(10000000) y",
        "recursive view": "CREATE VIEW v AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
        "SELECT max(x) AS x FROM r",
        "six views": "".join(f"CREATE VIEW v{n} AS SELECT count(*) AS n FROM range(1000000000000);" for n in range(6)),
        "sleep": "CREATE VIEW v AS SELECT sleep_ms(60000) AS b",
        "self-joining views": chain(12, "SELECT x.a FROM v{0} x, v{0} y"),
        "views that unite themselves": chain(16, "SELECT a FROM v{0} UNION SELECT a FROM v{0}"),
    },
    "DuckDB: many things, and other files": {
        "2,000 tables": "".join(f"CREATE TABLE n{n} (a INT, b INT);" for n in range(2_000)),
        "a deep type": f"CREATE TABLE g (a {'STRUCT(a ' * 150}INT{')' * 150})",
        "10,000 labels": f"CREATE TABLE g (a ENUM ({', '.join(repr(str(n)) for n in range(10_000))}))",
        "names of control characters": 'CREATE TABLE "\x1b]52;c;AAAA\x07\u202e\n\n--" ("\x1b[2J" INT, "a\nb" INT)',
        "a view of another file": "CREATE VIEW v AS SELECT content AS b FROM read_text('SECRET')",
        "a view of a csv file": "CREATE VIEW v AS SELECT * FROM read_csv('SECRET', header = false)",
        "a macro of another file": "CREATE MACRO m() AS TABLE SELECT * FROM read_text('SECRET'); "
        "CREATE VIEW v AS SELECT content AS b FROM m()",
        "a view of the environment": "CREATE VIEW v AS SELECT current_setting('home_directory') AS b",
    },
}
