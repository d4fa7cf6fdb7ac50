"""The tables that views read, from the views' definitions."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlglot import TokenType, exp

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import shared_tree, tokens

LONGEST_DEFINITION = 20_000
_OPENING, _CLOSING = TokenType.L_PAREN, TokenType.R_PAREN

QualifiedName = tuple[str, str]
"""A name as a definition has it: the part before its dot, which may be empty, and the name."""


def with_sources(schema: Schema, definitions: Mapping[str, object], key_of: Callable[[QualifiedName], str]) -> Schema:
    """A schema whose views have the keys of the tables that they read.

    Args:
        schema: The schema.
        definitions: Definitions of its views, by key; one that can't be read leaves the view without sources.
        key_of: The key of a table that is named so.
    """
    names = {table.name.casefold() for table in schema}
    tables = []
    for table in schema:
        found = sources(str(definitions.get(table.key) or ""), schema.dialect, names) if table.is_view else None
        tables.append(replace(table, reads=None if found is None else tuple(dict.fromkeys(map(key_of, found)))))
    return replace(schema, tables=tuple(tables))


def sources(definition: str, dialect: str, names: set[str]) -> list[QualifiedName] | None:
    """The tables that a definition names; None if that is not certain.

    Args:
        definition: A query, or `CREATE VIEW ... AS` with one.
        dialect: The sqlglot name of its dialect.
        names: Names of tables in lower case. A common table expression with another name is not a table.
    """
    query = _query(definition, dialect) if len(definition) <= LONGEST_DEFINITION else None
    tree = shared_tree(query, dialect) if query else None
    if tree is None or any(node.args.get("field") is not None for node in tree.find_all(exp.In)):
        return None  # to SQLite, what follows IN may be a table
    local = {common.alias.casefold() for common in tree.find_all(exp.CTE)} - names
    found = []
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            return None  # a function may read any table
        if table.db or table.name.casefold() not in local:
            found.append((table.db, table.name))
    return found


def _query(definition: str, dialect: str) -> str | None:
    """The text after the first AS outside of brackets, if it is not a query by itself."""
    found = tokens(definition, dialect) or []
    if found and found[0].token_type != TokenType.CREATE:
        return definition
    depth = 0
    for token in found:
        depth += (token.token_type == _OPENING) - (token.token_type == _CLOSING)
        if depth == 0 and token.token_type == TokenType.ALIAS:
            return definition[token.end + 1 :]
    return None
