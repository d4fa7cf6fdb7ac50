"""The functions that a query calls, by the words in front of its brackets.

The words are the engine's own; the classes that sqlglot makes of them are not, since several functions share one and
some lose their name. So every word before an opening bracket is either on the dialect's list, or one of the words that
the grammar puts there, or a name that the tree knows as that of a list of columns.
"""

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect

from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.guard.functions.without_brackets import WORDS
from route_sql.tools.guard.grammar import calls_by_words, words_of
from route_sql.tools.guard.nodes import QueryNodes, of_kind
from route_sql.tools.guard.refusal import Policy
from route_sql.tools.sql.parsing import written

QUALIFIERS = {"postgres": frozenset({"pg_catalog"}), "duckdb": None}
"""Schemas that may be named before a function; in DuckDB the part before the dot is the first argument."""

FORMATTING = {"sqlite": frozenset({"printf", "format"}), "mysql": frozenset({"sformat"})}
"""Functions that repeat a character as often as their format says, in one step that the engine can't interrupt, or in
memory that it doesn't count."""
ONLY_VALUES = {"duckdb": frozenset({"histogram"})}
"""Functions that compute a value in an expression, and run SQL on the name of a table in FROM."""
_AROUND_VALUES = (exp.Alias, exp.Filter, exp.Window, exp.Paren, exp.Func, exp.Ordered, exp.Having, exp.Binary)
_SET_OPERATORS = {TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT}
TELLS_TYPES = frozenset({"pg_typeof"})
"""PostgreSQL's function for the name of a type, which may be that of a hidden table."""
_LONG_FIELD = {
    "sqlite": re.compile(r"%[^%a-zA-Z]*(\*|\d{4})"),
    "mysql": re.compile(r"\{[^}]*(\{|\d{4})"),
}


class Call(NamedTuple):
    """A call: the function's name as written, its first character, and the name before its dot if there is one."""

    name: str
    start: int
    owner: str | None = None


def forbidden_call(
    sql: str, found: list[Token], nodes: QueryNodes, dialect: str, policy: Policy, own: frozenset[str]
) -> Call | None:
    """The first call of a function that is not on the list.

    Args:
        sql: The text.
        found: Its tokens.
        nodes: The nodes of its tree.
        dialect: The sqlglot name of the dialect.
        policy: Which further functions are allowed.
        own: Case-folded names of tables that may be called (SQLite's virtual tables are searched so).
    """
    owners = QUALIFIERS.get(dialect, frozenset())
    for call in _calls(sql, found, _named_lists(nodes), dialect):
        name = call.name.casefold()
        is_foreign = call.owner is not None and owners is not None and call.owner.casefold() not in owners
        is_listed = name in FUNCTIONS[dialect] and not (policy.only_shown and name in TELLS_TYPES)
        is_listed |= _are_values(found, nodes, name, dialect)
        is_known = is_listed or name in own or is_named(name, None, policy.functions)
        if (is_foreign or not is_known) and not is_named(name, call.owner, policy.functions):
            return call
    for name in calls_by_words(found, nodes, dialect):
        if name not in FUNCTIONS[dialect] and not is_named(name, None, policy.functions):
            return Call(name, _place_of(found, name))
    return _long_format(found, dialect)


def _are_values(found: list[Token], nodes: QueryNodes, name: str, dialect: str) -> bool:
    """Whether a function that may compute values only is called for one at each place."""
    if name not in ONLY_VALUES.get(dialect, frozenset()):
        return False
    called = [node for node in of_kind(nodes, exp.Anonymous) if node.name.casefold() == name]
    are_values = all(
        isinstance(node.parent, _AROUND_VALUES)
        or (isinstance(node.parent, exp.Select) and node.arg_key == "expressions")
        for node in called
    )
    return are_values and len(called) == sum(token.text.casefold() == name for token in found)


def is_named(name: str, owner: str | None, patterns: Collection[str]) -> bool:
    """Whether a policy allows a function; with a schema before it, both must be listed together.

    Args:
        name: The function's name.
        owner: The part before its dot, if there is one.
        patterns: Names in lower case, such as `st_area`, `st_*` or `gis.st_*`.
    """
    for pattern in patterns:
        place, _, wanted = pattern.rpartition(".")
        is_there = fnmatchcase(owner.casefold(), place) if owner is not None and place else owner is None and not place
        if is_there and fnmatchcase(name.casefold(), wanted):
            return True
    return False


def _long_format(found: list[Token], dialect: str) -> Call | None:
    """The first call of a formatting function whose format isn't one literal with fields below 1,000 characters."""
    names = FORMATTING.get(dialect, frozenset())
    for name, bracket, first, after in zip(found, found[1:], found[2:], found[3:], strict=False):
        if name.text.casefold() in names and bracket.token_type == TokenType.L_PAREN:
            # SQLite reads a name in double quotes as a text where there is no such column.
            is_text = dialect == "sqlite" and first.token_type == TokenType.IDENTIFIER and "%" in first.text
            is_literal = is_text or first.token_type == TokenType.STRING
            is_whole = after.token_type in (TokenType.COMMA, TokenType.R_PAREN)
            if not (is_literal and is_whole) or _LONG_FIELD[dialect].search(first.text):
                return Call(f"{name.text} with a format that is not a short literal", name.start)
    return None


def _calls(sql: str, found: list[Token], lists: set[int], dialect: str) -> Iterator[Call]:
    unbracketed = Dialect.get_or_raise(dialect).parser_class.NO_PAREN_FUNCTIONS
    words = WORDS.get(dialect, frozenset())
    for place, token in enumerate(found):
        has_dot = place > 0 and found[place - 1].token_type == TokenType.DOT
        has_bracket = place + 1 < len(found) and found[place + 1].token_type == TokenType.L_PAREN
        if not has_bracket:
            is_label = place > 0 and found[place - 1].token_type == TokenType.ALIAS
            is_word = token.token_type != TokenType.IDENTIFIER and token.text.casefold() in words and not is_label
            if (token.token_type in unbracketed or is_word) and not has_dot:
                yield Call(token.text, token.start)
        elif dialect == "duckdb" and _ends_by_name(sql, found, place):
            continue
        elif token.start not in lists and _is_name(sql, token) and (has_dot or not _is_grammar(sql, token, dialect)):
            yield Call(token.text, token.start, found[place - 2].text if has_dot and place > 1 else None)


def _place_of(found: list[Token], name: str) -> int:
    return next((token.start for token in found if token.text.casefold() == name), 0)


def _is_name(sql: str, token: Token) -> bool:
    """Whether a token is a word or a quoted name, not a string, a number or a sign."""
    first = written(sql, token)[:1]
    return token.token_type == TokenType.IDENTIFIER or first.isalpha() or first == "_" or not first.isascii()


def _is_grammar(sql: str, token: Token, dialect: str) -> bool:
    """Whether a word is one of the grammar's; sqlglot makes one token of `GROUP BY`."""
    if token.token_type == TokenType.IDENTIFIER:
        return False
    words = written(sql, token).casefold().split()
    return words[-1] in words_of(dialect) and words[-1] not in FUNCTIONS[dialect]


def _ends_by_name(sql: str, found: list[Token], place: int) -> bool:
    """Whether a word ends DuckDB's `UNION ALL BY NAME`, which a query in brackets may follow."""
    if [written(sql, token).upper() for token in found[max(place - 1, 0) : place + 1]] != ["BY", "NAME"]:
        return False
    kinds = [token.token_type for token in found[max(place - 3, 0) : place - 1]]
    operator = kinds[:-1] if kinds[-1:] in ([TokenType.ALL], [TokenType.DISTINCT]) else kinds
    return bool(operator) and operator[-1] in _SET_OPERATORS


def _named_lists(nodes: QueryNodes) -> set[int]:
    """Places of names that are followed by a list of columns: `WITH r(x) AS`, `AS t(a, b)`."""
    return {
        int(alias.this.meta["start"])
        for alias in of_kind(nodes, exp.TableAlias)
        if isinstance(alias.this, exp.Identifier) and alias.args.get("columns") and "start" in alias.this.meta
    }
