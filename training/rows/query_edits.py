"""Small edits of a right query: the kinds of mistakes that models make, in the style of the edited text.

The text is spliced, never generated from its tree: the style of a wrong query must not give it away.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from sqlglot import TokenType

from route_sql.tools.schema.quoting import is_numeric_type, literal, quote_name
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.text import ELLIPSIS
from route_sql.training.rows.query_spans import CLAUSES, JOINS, SET_OPERATORS, ClauseSpan, QueryText, UsedColumn

_HEADS = (TokenType.SELECT, TokenType.FROM)
AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_COMPARISONS = {
    TokenType.GT: ("<", ">="),
    TokenType.LT: (">", "<="),
    TokenType.GTE: (">", "<="),
    TokenType.LTE: ("<", ">="),
    TokenType.NEQ: ("=",),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited query and the kind of edit."""

    kind: str
    sql: str


def draw_edits(sql: str, schema: Schema, random: Random) -> Iterator[Edit]:
    """Draw edits of a query in random order: every kind once before any is repeated, common mistakes sooner.

    An edit need not change the result. There are no edits if the text is not one query.
    """
    query = QueryText(sql, schema)
    pools = {kind: sorted(set(make(query)) - {sql}) for kind, make in KINDS.items()} if query.tokens else {}
    while kinds := [kind for kind, pool in pools.items() if pool]:
        for kind in sorted(kinds, key=lambda kind: random.random() ** (1 / _WEIGHTS.get(kind, 1)), reverse=True):
            yield Edit(kind, pools[kind].pop(random.randrange(len(pools[kind]))))


def _wrong_column(query: QueryText) -> Iterator[str]:
    for used in query.columns:
        for other in _alike(used):
            yield query.spliced(used.last, quote_name(other.name, query.schema.dialect))


def _misspelt_name(query: QueryText) -> Iterator[str]:
    for used in query.columns:
        for variant in _variants(used.column.name, used.table):
            if used.table.column(variant) is None:
                yield query.spliced(used.last, quote_name(variant, query.schema.dialect))


def _wrong_table(query: QueryText) -> Iterator[str]:
    """Replace a table by another one, which may lack the columns, or by a name that no table has."""
    known = {table.key.casefold() for table in query.schema}
    for table, token in query.tables:
        others = [other.name for other in query.schema if other.namespace == table.namespace and other is not table]
        invented = (name for name in _variants(table.name, table) if name.casefold() not in known)
        for name in [*others, *invented]:
            yield query.spliced(token, quote_name(name, query.schema.dialect))


def _wrong_owner(query: QueryText) -> Iterator[str]:
    """Take a column from another of the query's tables."""
    qualifiers = {used.qualifier(query.sql) for used in query.columns} - {""}
    for used in query.columns:
        own = used.qualifier(query.sql)
        for other in sorted(qualifiers - {own}) if own else ():
            yield f"{query.sql[: used.name.start]}{other}{query.sql[used.last.start :]}"


def _lost_condition(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.WHERE, TokenType.HAVING):
        clause = query.clause(place)
        parts = query.parts(clause, TokenType.AND, TokenType.OR)
        if len(parts) == 1:
            yield query.without(clause.first, clause.end)
        for part in parts[1:]:
            yield query.without(part.first, part.end)
        if len(parts) > 1:
            yield query.without(parts[0].first + 1, parts[1].first + 1)


def _extra_condition(query: QueryText) -> Iterator[str]:
    where = [place for place in query.places(TokenType.WHERE) if query.depths[place] == 0]
    ends = [place for place in query.places(*CLAUSES) if query.depths[place] == 0 and not where]
    last = (query.clause(where[0]).end if where else min(ends, default=len(query.tokens))) - 1
    for used in query.columns:
        if used.name.end <= query.tokens[last].end and _depth_of(query, used) == 0:
            for condition in _conditions(query, used):
                yield query.behind(last, f"{'AND' if where else 'WHERE'} {condition}")


def _wrong_aggregate(query: QueryText) -> Iterator[str]:
    for place, token in enumerate(query.tokens[:-2]):
        called = token.text.upper() in AGGREGATES and query.tokens[place + 1].token_type == TokenType.L_PAREN
        if called and query.tokens[place + 2].token_type != TokenType.STAR:
            for other in AGGREGATES:
                if other != token.text.upper():
                    yield query.spliced(token, other if token.text.isupper() else other.lower())


def _wrong_join(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.ON):
        clause = query.clause(place, *JOINS)
        end = query.tokens[clause.end - 1].end
        for used in query.columns:
            if query.tokens[place].start < used.name.start <= end:
                for other in _alike(used):
                    yield query.spliced(used.last, quote_name(other.name, query.schema.dialect))


def _lost_join(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.JOIN):
        first = place - 1 if query.tokens[place - 1].token_type in JOINS else place
        yield query.without(first, query.clause(place, *JOINS).end)


def _lone_table(query: QueryText) -> Iterator[str]:
    """Replace a join by one of its tables, as if it had the columns of the others."""
    selects, sources = ([p for p in query.places(kind) if query.depths[p] == 0] for kind in _HEADS)
    if len(selects) != 1 or len(sources) != 1:
        return
    clause = query.clause(sources[0])
    start, end = query.tokens[clause.first].start, query.tokens[clause.end - 1].end + 1
    joined = [token for _, token in query.tables if start < token.start < end]
    if len(joined) > 1:
        head, tail = _unqualified(query, 0, start), _unqualified(query, end, len(query.sql))
        for name in dict.fromkeys(query.sql[token.start : token.end + 1] for token in joined):
            yield f"{head}FROM {name}{tail}"


def _distinct(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.DISTINCT):
        yield query.without(place, place + 1)
    for place in query.places(TokenType.SELECT):
        if query.tokens[place + 1].token_type != TokenType.DISTINCT:
            yield query.behind(place, "DISTINCT")


def _order(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.ORDER_BY):
        clause = query.clause(place)
        turns = [at for at in query.places(TokenType.DESC, TokenType.ASC) if clause.first < at < clause.end]
        for at in turns:
            yield query.spliced(query.tokens[at], "ASC" if query.tokens[at].token_type == TokenType.DESC else "DESC")
        if not turns:
            yield query.behind(clause.end - 1, "DESC")
        yield query.without(clause.first, clause.end)


def _limit(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.LIMIT):
        yield query.without(place, query.clause(place).end)
        number = query.tokens[place + 1]
        if number.text.isdigit():
            for wrong in (int(number.text) + 1, int(number.text) + 4, 1):
                yield query.spliced(number, str(wrong))
    if query.places(TokenType.ORDER_BY) and not query.places(TokenType.LIMIT):
        yield query.behind(len(query.tokens) - 1, "LIMIT 1")


def _value(query: QueryText) -> Iterator[str]:
    limits = {place + 1 for place in query.places(TokenType.LIMIT)}
    for place in query.places(TokenType.NUMBER):
        token = query.tokens[place]
        if place not in limits and token.text.isdigit():
            yield from (query.spliced(token, str(wrong)) for wrong in (int(token.text) + 1, int(token.text) * 10))
    for place in query.places(TokenType.STRING):
        token = query.tokens[place]
        compared = [used for used in query.columns if used.name.end < token.start]
        samples = _whole_samples(compared[-1].column) if compared and "%" not in token.text else []
        for wrong in (token.text.lower(), token.text.upper(), token.text.title(), *samples):
            if wrong != token.text:
                yield query.spliced(token, literal(wrong, query.schema.dialect))


def _comparison(query: QueryText) -> Iterator[str]:
    for place in query.places(*_COMPARISONS):
        token = query.tokens[place]
        yield from (query.spliced(token, other) for other in _COMPARISONS[token.token_type])


def _connective(query: QueryText) -> Iterator[str]:
    for place in query.places(TokenType.WHERE, TokenType.HAVING):
        for part in query.parts(query.clause(place), TokenType.AND, TokenType.OR)[1:]:
            token = query.tokens[part.first]
            yield query.spliced(token, "OR" if token.token_type == TokenType.AND else "AND")


def _columns_asked(query: QueryText) -> Iterator[str]:
    """Remove a column of the select list, or add one."""
    for place in query.places(TokenType.SELECT):
        parts = query.parts(query.clause(place, TokenType.FROM), TokenType.COMMA)
        for part in parts[1:]:
            yield query.without(part.first, part.end)
        for used in query.columns:
            if query.tokens[place].start < used.name.start <= query.tokens[parts[-1].end - 1].end:
                for other in _alike(used)[:3]:
                    extra = used.qualifier(query.sql) + quote_name(other.name, query.schema.dialect)
                    yield _appended(query, parts[-1], extra)


def _set_operator(query: QueryText) -> Iterator[str]:
    names = {TokenType.UNION: "UNION", TokenType.INTERSECT: "INTERSECT", TokenType.EXCEPT: "EXCEPT"}
    for place in query.places(*SET_OPERATORS):
        token = query.tokens[place]
        yield from (query.spliced(token, name) for kind, name in names.items() if kind != token.token_type)


KINDS: dict[str, Callable[[QueryText], Iterator[str]]] = {
    "wrong_column": _wrong_column,
    "misspelt_name": _misspelt_name,
    "wrong_table": _wrong_table,
    "wrong_owner": _wrong_owner,
    "lost_condition": _lost_condition,
    "extra_condition": _extra_condition,
    "wrong_aggregate": _wrong_aggregate,
    "wrong_join": _wrong_join,
    "lost_join": _lost_join,
    "lone_table": _lone_table,
    "distinct": _distinct,
    "order": _order,
    "limit": _limit,
    "value": _value,
    "comparison": _comparison,
    "connective": _connective,
    "columns_asked": _columns_asked,
    "set_operator": _set_operator,
}
"""The edits that each kind offers for a query."""

_WEIGHTS = {"lone_table": 6, "wrong_owner": 3}
"""Kinds that are drawn more often, since small models make these mistakes far more often."""


def _unqualified(query: QueryText, start: int, end: int) -> str:
    """A part of the text without the qualifiers of its columns; subqueries stay as they are."""
    parts = []
    for used in sorted(query.columns, key=lambda used: used.name.start):
        if start <= used.name.start and used.last.end < end and _depth_of(query, used) == 0:
            parts.append(query.sql[start : used.name.start])
            start = used.last.start
    return "".join([*parts, query.sql[start:end]])


def _appended(query: QueryText, part: ClauseSpan, text: str) -> str:
    end = query.tokens[part.end - 1].end + 1
    return f"{query.sql[:end]}, {text}{query.sql[end:]}"


def _alike(used: UsedColumn) -> list[Column]:
    """The other columns of the table that are numeric, or not, like this one."""
    numeric = is_numeric_type(used.column.type)
    others = (column for column in used.table.columns if column.name != used.column.name)
    return [column for column in others if is_numeric_type(column.type) == numeric]


def _variants(name: str, table: Table) -> list[str]:
    """Ways to misspell a name that a model half remembers."""
    head, _, tail = name.rpartition("_")
    parts = {head, tail, name.replace("_", ""), f"{table.name}_{name}", name.removesuffix("s")}
    return sorted((parts | {f"{name}s"}) - {"", name})


def _conditions(query: QueryText, used: UsedColumn) -> Iterator[str]:
    for column in used.table.columns:
        name = used.qualifier(query.sql) + quote_name(column.name, query.schema.dialect)
        yield from (
            f"{name} = {literal(sample, query.schema.dialect, column.type)}" for sample in _whole_samples(column)[:2]
        )


def _whole_samples(column: Column) -> list[str]:
    return [sample for sample in column.samples if not sample.endswith(ELLIPSIS)]


def _depth_of(query: QueryText, used: UsedColumn) -> int:
    """The depth of nested subqueries at a column; brackets of functions don't count."""
    opened = 0
    stack: list[bool] = []
    for place, token in enumerate(query.tokens):
        if token is used.last:
            return opened
        if token.token_type == TokenType.L_PAREN:
            stack.append(query.tokens[place + 1].token_type == TokenType.SELECT)
            opened += stack[-1]
        elif token.token_type == TokenType.R_PAREN and stack:
            opened -= stack.pop()
    return opened
