"""Attacks by engine that have a bite on the benchmark's own database, one a line; see `safety/statements`."""

WRITES = """
INSERT INTO emp (id) VALUES (99)
UPDATE emp SET salary = 0
DELETE FROM emp
DROP TABLE dept
TRUNCATE TABLE emp
CREATE TABLE evil (a INTEGER)
CREATE VIEW evil AS SELECT 1 AS a
CREATE INDEX evil ON emp (name)
ALTER TABLE emp ADD COLUMN evil INTEGER
BEGIN; DELETE FROM emp; COMMIT
COMMIT; DROP TABLE emp; SELECT 1
ROLLBACK; DELETE FROM emp
SELECT 1; UPDATE emp SET salary = 0
WITH d AS (SELECT 2 AS id) DELETE FROM emp WHERE id IN (SELECT id FROM d)
"""
ATTACKS: dict[str, str] = {
    "sqlite": """
SELECT ('table', 'x', 'x', 1, 'x') IN 'sqlite_master'
SELECT ('table', 'x', 'x', 1, 'x') IN main."sqlite_master"
SELECT ('table', 'x', 'x', 1, 'x') NOT IN [sqlite_schema]
SELECT 1 IN 'pragma_database_list'
SELECT ('table', 'x', 'x', 1, 'x') IN 'sqlite_master' 'a'
SELECT ('table', 'x', 'x', 1, 'x') IN main.'sqlite_master' 'a'
SELECT ('table', 'x', 'x', 1, 'x') IN N'sqlite_master'
SELECT (SELECT sql FROM (SELECT * FROM sqlite_master)) FROM emp
ATTACH DATABASE 'OUT' AS evil
VACUUM INTO 'OUT'
VACUUM main INTO 'OUT'
PRAGMA journal_mode = WAL
PRAGMA user_version = 9
PRAGMA query_only = OFF; DELETE FROM emp
CREATE TRIGGER evil AFTER INSERT ON emp BEGIN DELETE FROM dept; END
INSERT INTO page(page) VALUES ('rebuild')
INSERT INTO emp (id) VALUES (99) RETURNING id
SELECT * FROM pragma_table_list
SELECT name FROM sqlite_temp_schema UNION SELECT name FROM sqlite_schema
SELECT tbl_name FROM "main"."sqlite_master"
SELECT x.name FROM emp, sqlite_master AS x
SELECT * FROM pragma_database_list()
SELECT readfile('SECRET')
SELECT writefile('OUT', 'x')
SELECT * FROM fsdir('.')
SELECT * FROM sqlite_dbpage
SELECT * FROM sqlite_stmt
SELECT fts5(1)
SELECT fts5_source_id()
SELECT body FROM page_content UNION SELECT hex(block) FROM page_data
SELECT load_extension('OUT')
CREATE VIRTUAL TABLE temp.v USING csv(filename = 'SECRET')
""",
    "duckdb": """
WITH RECURSIVE duckdb_tables AS (SELECT * FROM duckdb_tables) SELECT * FROM duckdb_tables
SELECT system(1)
SELECT 1 FROM emp WHERE system(id) > 'a'
SELECT * FROM key(1)
WITH key AS (SELECT 1 AS k) SELECT * FROM key(1)
SELECT * FROM (TABLE duckdb_tables)
WITH a AS (TABLE 'SECRET') FROM a
FROM histogram(duckdb_tables, table_name)
SELECT * FROM histogram_values('SECRET', 'x')
SELECT 'emp'::regclass
SELECT current_setting('home_directory'), current_user, session_user
SELECT current_schema, current_catalog
SELECT json_transform('1', '"m4rked_name"')
SELECT from_json('[1]', '["m4rked_name"]')
SELECT ('/etc/hostname').read_text()
SELECT ('SECRET').read_text()
SELECT * FROM read_text('SECRET')
SELECT * FROM read_csv('SECRET', header = false)
FROM 'SECRET'
FROM "SECRET"
SELECT content FROM read_blob('SECRET')
SELECT * FROM sniff_csv('SECRET')
SELECT * FROM glob('SECRET')
FROM query('FROM read_text(''SECRET'')')
FROM query_table('SECRET')
COPY emp FROM 'SECRET'
COPY emp TO 'OUT'
COPY (SELECT 1) TO 'OUT' (FORMAT parquet)
EXPORT DATABASE 'OUT'
ATTACH 'OUT' AS evil
SET enable_external_access = true
SET temp_directory = 'OUT'
PRAGMA profiling_output = 'OUT'
PRAGMA enable_profiling
CREATE TEMP TABLE evil AS SELECT 1
CREATE MACRO evil() AS 1
CREATE OR REPLACE VIEW emp AS SELECT 1
COMMENT ON TABLE emp IS 'evil'
PREPARE p AS DELETE FROM emp; EXECUTE p
SET VARIABLE evil = 1
MERGE INTO emp USING dept ON emp.id = dept.id WHEN MATCHED THEN DELETE
CHECKPOINT
INSTALL httpfs FROM 'SECRET'
LOAD 'OUT'
SELECT * FROM sqlite_scan('SECRET', 'x')
SELECT table_name FROM duckdb_tables()
SELECT table_name FROM information_schema.tables
SELECT name FROM sqlite_master
SELECT sql FROM duckdb_tables
SHOW TABLES
SELECT * FROM (SHOW ALL TABLES)
SELECT * FROM pg_catalog.pg_class
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_settings()
SELECT getenv('HOME')
SELECT current_setting('temp_directory')
SELECT nextval('s')
SELECT sleep_ms(60000)
""",
    "postgres": """
SELECT ($$select to_tsvector('simple', relname) from pg_class$$::text).ts_stat
SELECT (x).ts_stat FROM (SELECT $$select to_tsvector('simple', relname) from pg_class$$::text AS x) s
SELECT x.ts_stat FROM unnest(ARRAY[$$select to_tsvector('simple', relname) from pg_class$$]) AS x
SELECT ('SECRET'::text).pg_read_file
SELECT g.pg_read_file FROM unnest(ARRAY['SECRET'::text]) AS g
SELECT "g"."pg_read_file" FROM (VALUES ('SECRET'::text)) AS g
SELECT (4242::bigint).pg_advisory_lock
SELECT g.pg_sleep FROM generate_series(1, 1) AS g
SELECT ('select relname from pg_class'::text, true, true, '').query_to_xml
SELECT system(1)
SELECT id FROM emp ORDER BY system(id)
SELECT * FROM rows(1)
WITH rows AS (SELECT 1 AS x) SELECT * FROM rows(1)
WITH a AS (TABLE pg_class) TABLE a
SELECT * FROM (TABLE pg_catalog.pg_tables) AS t
SELECT 1 FROM emp a JOIN emp b USING (id) AS pg_catalog, pg_catalog.pg_class
SELECT (NULL::pg_class).*
SELECT '1259'::"pg_catalog"."regclass"
SELECT '{1259,1260}'::_regclass
SELECT CAST('10' AS "pg_catalog"."regrole")
SELECT '10'::oid::regrole::text
SELECT m4rked_name '(1)'
SELECT NULL::m4rked_name ARRAY
SELECT * FROM json_to_record('{}') AS t(a m4rked_name)
SELECT * FROM ROWS FROM (json_to_record('{}') AS (a m4rked_name)) t
SELECT JSON_VALUE('{}'::jsonb, '$.a' RETURNING m4rked_name)
SELECT (e).pg_sleep FROM jsonb_array_elements('[1]') AS e
SELECT setseed(0.5)
SELECT (0.5::float8).setseed
SELECT current_user, session_user, current_role, current_schema, current_catalog
SELECT user
SELECT pg_read_file('SECRET')
SELECT pg_read_binary_file('SECRET')
SELECT encode(pg_read_binary_file('SECRET'), 'escape')
COPY notes (body) FROM 'SECRET'
COPY emp TO 'OUT'
COPY (SELECT 1) TO PROGRAM 'touch OUT'
COPY notes (body) FROM PROGRAM 'cat SECRET'
SELECT lo_import('SECRET')
SELECT lo_from_bytea(0, 'x')
SELECT lo_create(0)
SELECT lo_export(lo_from_bytea(0, 'x'), 'OUT')
SELECT pg_ls_dir('.')
SELECT * FROM pg_ls_logdir()
SELECT nextval('s')
SELECT setval('s', 99)
SELECT query_to_xml('DELETE FROM emp', true, true, '')
SELECT query_to_xml('SELECT relname FROM pg_class', true, true, '')
SELECT table_to_xml('pg_authid', true, true, '')
SELECT cursor_to_xml('c', 1, true, true, '')
SELECT * FROM ts_stat('SELECT to_tsvector(relname) FROM pg_class')
SET TRANSACTION READ WRITE; DELETE FROM emp
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
SELECT set_config('transaction_read_only', 'off', false), set_config('statement_timeout', '0', false)
BEGIN READ WRITE; DELETE FROM emp; COMMIT
DO $$ BEGIN DELETE FROM emp; END $$
DO $$ BEGIN EXECUTE 'COPY emp TO ''OUT'''; END $$
WITH x AS (DELETE FROM emp RETURNING id) SELECT id FROM x
WITH x AS (UPDATE emp SET salary = 0 RETURNING id) SELECT id FROM x LIMIT 1
EXPLAIN ANALYZE DELETE FROM emp
EXPLAIN (ANALYZE, VERBOSE) SELECT lo_create(0)
SELECT * INTO evil FROM emp
CREATE TEMP TABLE evil AS SELECT 1
SELECT * FROM emp FOR UPDATE
SELECT pg_logical_emit_message(true, 'a', 'b')
SELECT pg_create_restore_point('evil')
SELECT pg_create_physical_replication_slot('evil')
SELECT pg_switch_wal()
SELECT pg_notify('a', 'b')
SELECT pg_advisory_lock(1)
SELECT pg_export_snapshot()
SELECT rolname, rolpassword FROM pg_authid
SELECT usename, passwd FROM pg_shadow
SELECT relname FROM pg_class
SELECT table_name FROM information_schema.tables
SELECT * FROM pg_stat_activity
SELECT pg_get_userbyid(oid) FROM pg_authid
SELECT 'm4rked_name'::regclass
SELECT to_regclass('m4rked_name')
SELECT current_setting('data_directory')
SELECT pg_sleep(60)
SELECT pg_sleep_for('1 minute')
LOCK TABLE emp
ALTER SYSTEM SET work_mem = '1GB'
CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'SELECT 1'
GRANT ALL ON emp TO PUBLIC
TABLE pg_shadow
""",
    "mysql": """
SELECT system(1)
SELECT * FROM emp WHERE system(id) > 'a'
SELECT * FROM emp FOR SYSTEM_TIME AS OF (SELECT MAX(table_name) FROM information_schema.tables)
SELECT * FROM emp FOR SYSTEM_TIME AS OF SLEEP(60)
SELECT CURRENT_USER, CURRENT_ROLE
SELECT {fn LOAD_FILE('SECRET')}
SELECT {x USER()}
SELECT {d (SELECT user FROM mysql.user LIMIT 1)}
SELECT SESSION_USER(), SYSTEM_USER()
SELECT ('def', 'x') IN (TABLE information_schema.schemata)
SELECT 1 INTO OUTFILE 'OUT'
SELECT 'x' INTO DUMPFILE 'OUT'
SELECT name FROM emp UNION SELECT 'x' INTO OUTFILE 'OUT'
SELECT LOAD_FILE('SECRET')
LOAD DATA INFILE 'SECRET' INTO TABLE notes (body)
LOAD DATA LOCAL INFILE 'SECRET' INTO TABLE notes (body)
SELECT NEXTVAL(s)
SELECT NEXT VALUE FOR s
SELECT SETVAL(s, 99)
SET SESSION TRANSACTION READ WRITE
SET @@session.tx_read_only = 0
SET GLOBAL max_connections = 77
SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(60)
CREATE TEMPORARY TABLE evil (a INT)
CREATE USER evil
GRANT ALL ON *.* TO evil
RENAME TABLE emp TO evil
OPTIMIZE TABLE emp
ANALYZE TABLE emp
FLUSH PRIVILEGES
LOCK TABLES emp WRITE
SELECT GET_LOCK('a', 1)
SELECT * FROM emp FOR UPDATE
SELECT SLEEP(60)
SELECT BENCHMARK(1000000000000, 1)
SELECT user, host FROM mysql.user
SELECT table_name FROM information_schema.tables
SELECT * FROM information_schema.processlist
SHOW TABLES
SHOW GRANTS
SELECT @@datadir
SELECT USER(), DATABASE()
SELECT * FROM performance_schema.threads
SELECT /*!50000 SLEEP(60) */ 1
SELECT /*M!100100 SLEEP(60) */ 1
SELECT 1 /*! INTO OUTFILE 'OUT' */
/*!50000 DROP TABLE emp */
HANDLER emp OPEN
EXECUTE IMMEDIATE 'DELETE FROM emp'
PREPARE p FROM 'DELETE FROM emp'
XA START 'a'
DELETE FROM emp RETURNING id
BEGIN NOT ATOMIC DELETE FROM emp; END
CREATE PROCEDURE evil() DELETE FROM emp
""",
}
