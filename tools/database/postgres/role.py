"""The rights of a PostgreSQL role, and the statements that make one that may only read."""

from collections.abc import Iterator, Sequence

from psycopg import sql as composed

from route_sql.tools.database.roles import PASSWORD, READER, Finding, RoleReport, listed
from route_sql.tools.database.running.server_session import IDLE_SECONDS, LOCK_SECONDS, ServerSession

MOST_NAMED = 30
"""Number of tables up to which each is granted; with more, the grant is on all tables of the schema."""

_ATTRIBUTES = {
    "rolsuper": "is a superuser, for whom no right and no read-only transaction holds",
    "rolcreaterole": "may create roles",
    "rolcreatedb": "may create databases",
    "rolreplication": "may replicate the whole server",
    "rolbypassrls": "bypasses row-level security",
}
_MEMBERSHIPS = {
    "pg_read_server_files": "may read files of the server",
    "pg_write_server_files": "may write files of the server",
    "pg_execute_server_program": "may run programs on the server",
    "pg_write_all_data": "may write to every table",
    "pg_signal_backend": "may end the sessions of others",
}
_TIMEOUTS = {
    "statement_timeout": "30s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
}
_POOLED = (
    "a pooler, such as PgBouncer, is between this machine and the server; every setting ends with its transaction "
    "and nothing of the shared connection is reset"
)
_DISK = {"temp_file_limit": "4GB"}
"""Only an administrator may set it."""
_WHO = f"SELECT rolname, {', '.join(_ATTRIBUTES)} FROM pg_catalog.pg_roles WHERE rolname = current_user"
_MEMBER = (
    "SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, 'MEMBER') AND rolname = ANY (ARRAY["
    + ", ".join(f"'{name}'" for name in _MEMBERSHIPS)
    + "]) ORDER BY 1"
)
_OWN = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_WRITABLE = f"""
    SELECT n.nspname || '.' || c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE {_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
    ORDER BY 1
"""
_CREATABLE = f"""
    SELECT 'schema ' || n.nspname FROM pg_catalog.pg_namespace n
    WHERE {_OWN} AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
    UNION ALL
    SELECT 'database ' || current_database() WHERE pg_catalog.has_database_privilege(current_database(), 'CREATE')
"""
# The settings that the role starts a session with, without those of our session.
_STARTS_WITH = """
    SELECT name, reset_val FROM pg_catalog.pg_settings
    WHERE name IN ('default_transaction_read_only', 'statement_timeout', 'lock_timeout',
                   'idle_in_transaction_session_timeout')
"""
_TABLES = f"""
    SELECT n.nspname::text, c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND {_OWN} ORDER BY 1, 2
"""


def read_role(session: ServerSession, namespaces: Sequence[str]) -> RoleReport:
    """The rights of a session's role beyond reading, and the statements that make one that may only read.

    Raises:
        DatabaseUnavailable: the server was lost.
    """
    notes = (_POOLED,) if session.is_pooled else ()
    name, *flags = session.ask(_WHO)[0]
    risks = list(_risks(session, [bool(flag) for flag in flags]))
    missing = _missing(session)
    findings = (*risks, *(Finding(f"{setting} is not set on the role", is_risk=False) for setting in missing))
    if not risks:
        return RoleReport(str(name), findings, tuple(_settings(str(name), missing)), notes)
    reader = READER if name != READER else f"{READER}_2"
    return RoleReport(str(name), findings, tuple(_statements(session, reader, namespaces)), notes)


def _risks(session: ServerSession, flags: list[bool]) -> Iterator[Finding]:
    if flags[0]:
        yield Finding("it " + next(iter(_ATTRIBUTES.values())))
        return  # may do all the rest too
    for is_set, text in zip(flags, _ATTRIBUTES.values(), strict=True):
        if is_set:
            yield Finding(f"it {text}")
    for row in session.ask(_MEMBER):
        yield Finding(f"it {_MEMBERSHIPS[str(row[0])]}")
    if writable := [str(row[0]) for row in session.ask(_WRITABLE)]:
        yield Finding(f"it may write to {listed(writable)}")
    if creatable := [str(row[0]) for row in session.ask(_CREATABLE)]:
        yield Finding(f"it may create in {listed(creatable)}")


def _missing(session: ServerSession) -> dict[str, str]:
    starts_with = {str(name): str(value) for name, value in session.ask(_STARTS_WITH)}
    missing = {setting: value for setting, value in _TIMEOUTS.items() if starts_with.get(setting) == "0"}
    if starts_with.get("default_transaction_read_only") != "on":
        missing["default_transaction_read_only"] = "on"
    return missing


def _settings(role: str, settings: dict[str, str]) -> Iterator[str]:
    for setting, value in settings.items():
        yield f"ALTER ROLE {_name(role)} SET {setting} = '{value}';"


def _statements(session: ServerSession, reader: str, namespaces: Sequence[str]) -> Iterator[str]:
    database, default = session.ask("SELECT current_database(), current_schema()")[0]
    shown = list(namespaces) or [str(default)]
    yield (
        f"CREATE ROLE {_name(reader)} LOGIN PASSWORD '{PASSWORD}' "
        "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;"
    )
    yield from _settings(reader, {"default_transaction_read_only": "on", **_TIMEOUTS, **_DISK})
    yield f"GRANT CONNECT ON DATABASE {_name(str(database))} TO {_name(reader)};"
    for namespace in shown:
        yield f"GRANT USAGE ON SCHEMA {_name(namespace)} TO {_name(reader)};"
        yield f"GRANT SELECT ON {_tables(session, namespace)} TO {_name(reader)};"
    if session.ask("SELECT 1 WHERE pg_catalog.has_schema_privilege('public', 'public', 'CREATE')"):
        yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"


def _tables(session: ServerSession, namespace: str) -> str:
    literal = composed.Literal([namespace]).as_string(None)
    found = [f"{_name(str(n))}.{_name(str(t))}" for n, t in session.ask(_TABLES.replace("%s", literal))]
    return ", ".join(found) if 0 < len(found) <= MOST_NAMED else f"ALL TABLES IN SCHEMA {_name(namespace)}"


def _name(name: str) -> str:
    return composed.Identifier(name).as_string(None)
