"""The functions that may be called, by dialect."""

from route_sql.tools.guard import (
    functions_duckdb,
    functions_mysql,
    functions_postgres,
    functions_sqlite,
    functions_tsql,
)

FUNCTIONS: dict[str, frozenset[str]] = {
    "sqlite": functions_sqlite.ALLOWED,
    "postgres": functions_postgres.ALLOWED,
    "mysql": functions_mysql.ALLOWED,
    "duckdb": functions_duckdb.ALLOWED,
    "tsql": functions_tsql.ALLOWED,
}
"""Names in lower case, types that take a length among them. Each is free of side effects, reads nothing outside its
arguments, and does not wait."""
