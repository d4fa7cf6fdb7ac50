"""The resolver of a statement's names, as its parts see it.

FROM clauses, queries and expressions contain each other, so each part asks the resolver for the others.
"""

from collections.abc import Mapping
from typing import Protocol

from sqlglot import exp

from route_sql.tools.guard.names.budget import Budget
from route_sql.tools.guard.names.commons import Commons
from route_sql.tools.guard.names.sources import Output, Scope
from route_sql.tools.guard.names.values import Value
from route_sql.tools.schema.records import Schema


class NameResolver(Protocol):
    """Resolves the names of one statement, and notes those without a meaning."""

    dialect: str
    schema: Schema | None
    """The tables that the caller may see; None if they are not known."""
    partial_keys: frozenset[str]
    """The keys of those tables that have further columns."""
    own_types: Mapping[str, Value]
    """The composite types of the schema."""
    is_searched: bool
    """Whether the statement may search a full-text index of SQLite."""
    commons: Commons
    """The common table expressions that the query being read may name."""
    called: list[exp.Expr]
    """Words without brackets that are functions which may not be called."""
    budget: Budget
    """The steps that were taken."""

    def query(self, node: exp.Expr, scope: Scope | None) -> list[Output]:
        """Resolve the names of a query within `scope`; its outputs."""

    def visit(self, nodes: list[exp.Expr], scope: Scope) -> None:
        """Resolve the names of expressions."""

    def path(self, node: exp.Expr, scope: Scope) -> Value | None:
        """The value that a dotted name means; None if there is none."""

    def field(self, value: Value, part: exp.Expr) -> Value | None:
        """A field of a value, or of a function that PostgreSQL would call by this name."""

    def may_call(self, part: exp.Expr) -> bool:
        """Whether a name after a dot may be a function's, which only PostgreSQL would call."""

    def meet(self, node: exp.Expr) -> None:
        """Note that the names of a node were checked."""

    def miss(self, node: exp.Expr, scope: Scope, *, is_table: bool = False) -> None:
        """Note a name without a meaning."""

    def doubt(self, *parts: exp.Expr, is_table: bool = False) -> None:
        """Note a name whose meaning only a schema can tell."""
