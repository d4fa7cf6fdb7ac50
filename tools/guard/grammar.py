"""Words of the grammar before a bracket: those that an engine has, and calls of functions with such a name.

Most engines let a user name a function after a word that is not reserved, such as `system`, `first` or `key`. So a word
counts as grammar only where the parser read a clause and not a call. A construct that the parser knows and the engine
lacks, such as `map(1)` in PostgreSQL, counts as a call.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot import Token, TokenType, exp

from route_sql.tools.guard.nodes import QueryNodes, of_kind

_EVERYWHERE = frozenset(
    """
    select distinct on all from join lateral where and or not in exists any some between like is when then else case by
    having limit offset fetch first next values as materialized over filter within group sets rollup cube using union
    except intersect escape interval collate of overlaps row rows index
    """.split()
)
_OWN = {
    "sqlite": "match regexp isnull notnull to",
    "postgres": """
        only symmetric ilike to zone variadic array columns bernoulli system repeatable exclude isnull
        varying both leading trailing for placing
    """,
    "mysql": """
        xor div mod regexp rlike match against binary key to columns separator straight_join zone isnull partition oj
        both leading trailing for
    """,
    "duckdb": """
        symmetric ilike to zone array struct map columns bernoulli system reservoir repeatable exclude
        percent rename replace pivot unpivot nulls for qualify key isnull variadic both leading trailing
    """,
    "tsql": "top apply pivot unpivot for to key option",
}
_GRAMMAR = {dialect: _EVERYWHERE | frozenset(words.split()) for dialect, words in _OWN.items()}
_VALUES = {
    "sqlite": frozenset({"exists", "case", "and", "or", "row", "array"}),
    "postgres": frozenset({"exists", "case", "and", "or", "row", "array", "all"}),
    "mysql": frozenset({"exists", "case", "and", "or", "xor", "row"}),
    "duckdb": frozenset({"exists", "case", "and", "or", "row", "array", "struct", "map", "columns"}),
    "tsql": frozenset({"exists", "case", "and", "or"}),
}
"""Words of the grammar that the parser reads as functions, and that no function of a user's can be called by."""


def words_of(dialect: str) -> frozenset[str]:
    """The words after which a bracket may hold something else than arguments, in lower case."""
    return _GRAMMAR[dialect]


def calls_by_words(found: Sequence[Token], nodes: QueryNodes, dialect: str) -> Iterator[str]:
    """The names of functions that a query calls by words of the grammar, in lower case."""
    words = _GRAMMAR[dialect] - _VALUES[dialect]
    for node in (node for node in of_kind(nodes, exp.Func) if not isinstance(node, exp.Binary)):
        names = [node.name] if isinstance(node, exp.Anonymous) else type(node).sql_names()
        yield from (name.casefold() for name in names if name.casefold() in words)
    for compared in of_kind(nodes, exp.Any):
        if dialect == "mysql" and not isinstance(compared.this, exp.Query):
            yield "any"  # not reserved there
    if dialect == "duckdb" and _count(found, "struct") > _structs(nodes):
        yield "struct"  # `STRUCT(a INTEGER)` is a type
    for alias in of_kind(nodes, exp.TableAlias):
        table = alias.parent
        if alias.this is None and alias.args.get("columns") and isinstance(table, exp.Table):
            yield table.name.casefold()  # `FROM rows(1)`, which the parser takes for a table and a list of columns


def _count(found: Sequence[Token], word: str) -> int:
    return sum(
        token.text.casefold() == word and after.token_type == TokenType.L_PAREN for token, after in pairwise(found)
    )


def _structs(nodes: QueryNodes) -> int:
    return sum(kind.this == exp.DataType.Type.STRUCT for kind in of_kind(nodes, exp.DataType))
