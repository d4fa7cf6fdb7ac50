"""The expressions of generated columns, from the CREATE statements of their tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sqlglot import Token, TokenType

from route_sql.tools.schema.records import Column, Schema
from route_sql.tools.sql.parsing import tokens

_OPENING, _CLOSING = TokenType.L_PAREN, TokenType.R_PAREN


def with_expressions(schema: Schema, statement_of: Callable[[str], str]) -> Schema:
    """A schema whose generated columns have their expressions.

    Args:
        schema: The schema.
        statement_of: The CREATE TABLE statement of a table, by its key; one that can't be read leaves the columns as
            they are.
    """
    tables = []
    for table in schema:
        if any(column.computed is not None for column in table.columns):
            known = _expressions(statement_of(table.key), schema.dialect)
            table = replace(table, columns=tuple(_completed(column, known) for column in table.columns))
        tables.append(table)
    return replace(schema, tables=tuple(tables))


def _completed(column: Column, known: Mapping[str, str]) -> Column:
    is_generated = column.computed is not None
    return replace(column, computed=known.get(column.name.casefold(), column.computed)) if is_generated else column


def _expressions(statement: str, dialect: str) -> dict[str, str]:
    """The text after AS in the definition of each column, by its name in lower case."""
    found: dict[str, str] = {}
    for parts in _definitions(tokens(statement, dialect) or []):
        start = next((token for token in parts[1:] if token.token_type == TokenType.ALIAS), None)
        if start is not None:
            found.setdefault(parts[0].text.casefold(), statement[start.end + 1 : parts[-1].end + 1])
    return found


def _definitions(found: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each column, key and check in the outer brackets."""
    depth, parts = 0, list[Token]()
    for token in found:
        depth -= token.token_type == _CLOSING
        if parts and ((depth == 1 and token.token_type == TokenType.COMMA) or depth == 0):
            yield parts
            parts = []
        elif depth:
            parts.append(token)
        depth += token.token_type == _OPENING
