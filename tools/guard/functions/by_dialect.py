"""The functions that may be called, by dialect."""

from route_sql.tools.guard.functions import (
    duckdb,
    mysql,
    postgres,
    sqlite,
    tsql,
)

FUNCTIONS: dict[str, frozenset[str]] = {
    "sqlite": sqlite.ALLOWED,
    "postgres": postgres.ALLOWED,
    "mysql": mysql.ALLOWED,
    "duckdb": duckdb.ALLOWED,
    "tsql": tsql.ALLOWED,
}
"""Names in lower case, including types that take a length. Each is free of side effects, reads nothing outside its
arguments, and does not wait."""
