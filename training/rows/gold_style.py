"""Gold SQL in one style: a model should learn one style, not the habits of many annotators.

Wrong queries are edited in this same style, so that their style does not give them away.
"""

from sqlglot import TokenType, exp

from route_sql.tools.schema.quoting import quote_name
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import Tree, parse_query, tokens
from route_sql.tools.sql.scopes import Resolver

_AFTER = (TokenType.COMMA, TokenType.R_PAREN)
_FUNCTIONS = ("count", "sum", "avg", "min", "max")


def tidied(sql: str, dialect: str) -> str:
    """The query on one line with single spaces and no closing semicolon; words and literals stay as they are."""
    text = sql.strip().rstrip("; \n")
    found = tokens(text, dialect)
    if not found:
        return text
    pieces = [text[found[0].start : found[0].end + 1]]
    for before, token in zip(found, found[1:], strict=False):
        gap = text[before.end + 1 : token.start]
        if not gap.strip():
            gap = " " if gap and token.token_type not in _AFTER and before.token_type != TokenType.L_PAREN else ""
        pieces += [gap, text[token.start : token.end + 1]]
    return "".join(pieces)


def in_one_style(sql: str, schema: Schema) -> str:
    """The query with names as the database spells them, strings in single quotes and aggregates in capitals.

    Names are quoted as the schema shows them. SQLite also takes strings in double quotes; double-quoted text that names
    a column, a table or an alias stays a name. The caller must check that both queries return the same.
    """
    tree = parse_query(sql, schema.dialect)
    if tree is None:
        return sql
    changes = _aggregates(sql, schema.dialect) | _names(sql, tree, schema) | _strings(sql, tree, schema)
    for (start, end), text in sorted(changes.items(), reverse=True):
        sql = f"{sql[:start]}{text}{sql[end + 1 :]}"
    return sql


_Changes = dict[tuple[int, int], str]
"""The new text for a piece of the query, by its first and last character."""


def _aggregates(sql: str, dialect: str) -> _Changes:
    found = tokens(sql, dialect) or []
    calls = (a for a, b in zip(found, found[1:], strict=False) if b.token_type == TokenType.L_PAREN)
    return {(call.start, call.end): call.text.upper() for call in calls if call.text.lower() in _FUNCTIONS}


def _names(sql: str, tree: Tree, schema: Schema) -> _Changes:
    by_end = {token.end: token for token in tokens(sql, schema.dialect) or []}
    changes: _Changes = {}
    for name in Resolver(tree, sql, schema).names():
        own = (name.table.name if name.is_table else name.column.name if name.column else None) if name.table else None
        token = by_end.get(name.end)
        if own and token and name.end >= name.start:
            changes[token.start, token.end] = quote_name(own, schema.dialect)
    return changes


def _strings(sql: str, tree: Tree, schema: Schema) -> _Changes:
    if schema.dialect != "sqlite":
        return {}
    aliases = {alias.alias.casefold() for alias in tree.find_all(exp.Alias, exp.TableAlias, exp.CTE) if alias.alias}
    strings = (
        name
        for name in Resolver(tree, sql, schema).names()
        if name.found and not (name.is_table or name.column) and name.text.startswith('"')
        if name.text.strip('"').casefold() not in aliases
    )
    return {(name.start, name.end): _literal(name.text) for name in strings}


def _literal(quoted: str) -> str:
    value = quoted[1:-1].replace('""', '"').replace("'", "''")
    return f"'{value}'"
