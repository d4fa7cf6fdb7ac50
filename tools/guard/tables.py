"""The tables that a query names: the engine's own are refused by policy, and files always.

Names without a meaning are left to the engine, which has the best message for them. SQLite's and DuckDB's own tables
include table functions that may be written without brackets.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from route_sql.tools.guard.nodes import QueryNodes, of_kind
from route_sql.tools.guard.refusal import Code, Policy
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.named_tables import named_table

_SYSTEM_NAMES = {
    "sqlite": re.compile(r"(sqlite_|pragma_).*|dbstat|bytecode|tables_used|completion|fsdir|zipfile", re.IGNORECASE),
    "postgres": re.compile(r"pg_.*", re.IGNORECASE),
    "mysql": re.compile(r"(?!)"),
    "duckdb": re.compile(r"(duckdb_|pragma_|pg_|sqlite_).*", re.IGNORECASE),
    "tsql": re.compile(r"sys[a-z]+", re.IGNORECASE),
}
_SYSTEM_NAMESPACES = {
    "sqlite": frozenset[str](),
    "postgres": frozenset({"pg_catalog", "information_schema", "pg_toast"}),
    "mysql": frozenset({"mysql", "information_schema", "performance_schema", "sys"}),
    "duckdb": frozenset({"pg_catalog", "information_schema", "system", "temp"}),
    "tsql": frozenset({"sys", "information_schema", "master", "msdb", "model", "tempdb"}),
}
_PLAIN = re.compile(r"[\w $-]+")
_ENDINGS = frozenset(
    "csv tsv txt json jsonl ndjson geojson parquet arrow feather ipc orc avro xlsx xls db duckdb sqlite gz zst bz2 "
    "log xml html md sql vortex lance".split()
)

_NAMES_AFTER_IN = (exp.Identifier, exp.Anonymous, exp.GenerateSeries)
"""Nodes that SQLite allows after IN without brackets, in addition to strings."""

TABLE_REASON = "there is no table {name} in the schema; use a table of the schema"


def forbidden_table(
    nodes: QueryNodes, dialect: str, schema: Schema | None, policy: Policy
) -> tuple[exp.Table, Code] | None:
    """The first table that may not be read, and why."""
    local = {cte.alias.casefold() for cte in of_kind(nodes, exp.CTE)}
    for table in _tables(nodes, dialect):
        if is_dual(table, dialect):
            continue
        if isinstance(table.this, exp.Identifier) and (code := _code(table, dialect, schema, policy, local)):
            return table, code
    return None


def is_dual(table: exp.Table, dialect: str) -> bool:
    """Whether a name is MySQL's word for no table: `SELECT 1 FROM dual`."""
    name = table.this
    is_bare = isinstance(name, exp.Identifier) and not name.args.get("quoted") and not table.args.get("db")
    return dialect == "mysql" and is_bare and table.name.casefold() == "dual"


def own_tables(schema: Schema | None, dialect: str) -> frozenset[str]:
    """The tables that may be called like functions, case-folded: SQLite's, where a full-text table is searched so."""
    if schema is None or dialect != "sqlite":
        return frozenset()
    return frozenset(table.name.casefold() for table in schema)


def tables_after_in(nodes: QueryNodes, dialect: str) -> Iterator[exp.Table]:
    """Tables in SQLite's `x IN name`, `x IN 'name'` and `x IN name(...)`, where sqlglot sees a value."""
    for node in of_kind(nodes, exp.In) if dialect == "sqlite" else ():
        field = node.args.get("field")
        if field is not None:
            names = [_as_name(part) for part in _parts(field)]
            table = exp.Table(**dict(zip(("this", "db", "catalog", "further"), reversed(names), strict=False)))
            table.parent = node
            yield table


def unclear_after_in(nodes: QueryNodes, dialect: str) -> exp.Expr | None:
    """The first `x IN ...` whose right-hand side is not a list, query, name of a table or call.

    In `x IN 'secret' 'y'` SQLite takes the first string for a table and the second for an alias; the parser makes one
    string of both. In `x IN N'y'` the table is `N`.
    """
    for node in of_kind(nodes, exp.In) if dialect == "sqlite" else ():
        field = node.args.get("field")
        if node.args.get("unnest") is not None or (field is not None and not all(map(_is_name, _parts(field)))):
            return node
    return None


def _is_name(part: exp.Expr) -> bool:
    return isinstance(part, _NAMES_AFTER_IN) or (isinstance(part, exp.Literal) and part.is_string)


def _parts(field: exp.Expr) -> list[exp.Expr]:
    if isinstance(field, exp.Column):
        return [part for part in field.parts if part is not None]
    return list(field.flatten()) if isinstance(field, exp.Dot) else [field]


def _as_name(part: exp.Expr) -> exp.Expr:
    if isinstance(part, exp.Literal) and part.is_string:
        return exp.Identifier(this=part.this, quoted=True)
    copied: exp.Expr = part.copy()
    return copied


def _tables(nodes: QueryNodes, dialect: str) -> Iterator[exp.Table]:
    yield from (table for table in of_kind(nodes, exp.Table) if table.arg_key != "indexed")
    yield from tables_after_in(nodes, dialect)


def _code(table: exp.Table, dialect: str, schema: Schema | None, policy: Policy, local: set[str]) -> Code | None:
    if _is_system(table, dialect) and not policy.system_catalogs:
        return "system_catalog"
    if schema is not None and named_table(table, schema, dialect) is not None:
        return None
    if dialect == "duckdb" and _may_be_file(table):
        return "file"
    is_local = not table.db and table.name.casefold() in local
    return "table" if policy.only_shown and schema is not None and not is_local else None


def _is_system(table: exp.Table, dialect: str) -> bool:
    namespaces = {table.db.casefold(), table.catalog.casefold()} - {""}
    if any(n in _SYSTEM_NAMESPACES[dialect] or n.startswith("pg_") for n in namespaces):
        return True
    return _SYSTEM_NAMES[dialect].fullmatch(table.name) is not None


def _may_be_file(table: exp.Table) -> bool:
    """Whether DuckDB could read a file by this name if it is not a table's."""
    names = [part.name for part in table.parts]
    return not all(map(_PLAIN.fullmatch, names)) or (len(names) > 1 and names[-1].casefold() in _ENDINGS)
