"""Value of an expression of a query, with the fields that the query may name."""

from collections.abc import Iterator

from sqlglot import exp

from route_sql.tools.guard.names.resolver import NameResolver
from route_sql.tools.guard.names.sources import TABLE_FUNCTIONS, Scope
from route_sql.tools.guard.names.values import OPEN, SCALAR, Value, fold, key_of, value_of_type

_SAME: tuple[type[exp.Expr], ...] = (
    exp.Paren,
    exp.Order,
    exp.Ordered,
    exp.Distinct,
    exp.Window,
    exp.Filter,
    exp.WithinGroup,
    exp.IgnoreNulls,
)
_SAME += (exp.RespectNulls, exp.Alias, exp.First, exp.Last, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag)
_SAME += (exp.Lead, exp.AnyValue, exp.Max, exp.Min, exp.ArgMax, exp.ArgMin, exp.Nullif, exp.Mode)
_SAME_NAMES = frozenset("first last any_value mode arbitrary list_first list_last array_last".split())
_COLLECTED = (exp.ArrayAgg, exp.List)
_ITEM_NAMES = frozenset(
    "list_extract list_element array_extract element_at unnest list_first list_last array_last".split()
)
_LIST_NAMES = frozenset(
    "array_append array_cat array_prepend array_remove list_filter list_sort list_distinct list_reverse list_concat "
    "list_append list_prepend list_slice array_reverse array_sort".split()
)
_POPULATED = frozenset(
    "json_populate_record jsonb_populate_record json_populate_recordset jsonb_populate_recordset".split()
)


def value_of(node: exp.Expr | None, scope: Scope, names: NameResolver) -> Value:
    """Value of an expression. In DuckDB, where a dot calls nothing, an unknown function gives an open value."""
    if isinstance(node, exp.Column | exp.Dot | exp.Identifier):
        return names.path(node, scope) or SCALAR
    if isinstance(node, exp.Subquery | exp.Query):
        outputs = names.query(node, scope)
        return outputs[0].value() if outputs else SCALAR
    if isinstance(node, exp.Cast | exp.TryCast):
        return value_of_type(node.to, names.dialect, names.own_types)
    if isinstance(node, exp.Bracket):
        return _in_brackets(node, value_of(node.this, scope, names), names.dialect)
    if isinstance(node, exp.Case | exp.Coalesce | exp.If):
        return _first(_branches(node), scope, names)
    if isinstance(node, _SAME):
        inner = node.this if node.this is not None or not node.expressions else node.expressions[0]
        return value_of(inner, scope, names)
    return _constructed(node, scope, names) if node is not None else SCALAR


def _constructed(node: exp.Expr, scope: Scope, names: NameResolver) -> Value:
    if isinstance(node, exp.Struct):
        return Value(dict(_struct(node, scope, names)))
    if isinstance(node, exp.Array):
        return Value(item=value_of(node.expressions[0], scope, names) if node.expressions else SCALAR)
    if isinstance(node, _COLLECTED):
        return Value(item=value_of(node.this, scope, names))
    if isinstance(node, exp.Explode):
        return _item(value_of(node.this, scope, names))
    if isinstance(node, exp.Tuple):
        return _numbered(node.expressions, scope, names)
    if isinstance(node, exp.Func):
        return _called(node, scope, names)
    return OPEN if names.dialect == "duckdb" and not isinstance(node, exp.Literal) else SCALAR


def _called(node: exp.Func, scope: Scope, names: NameResolver) -> Value:
    name, arguments = fold(node.name if isinstance(node, exp.Anonymous) else node.sql_name()), node.expressions
    if isinstance(node, exp.Anonymous) and arguments:
        if name == "row":
            return _numbered(arguments, scope, names)
        if name in _POPULATED | _LIST_NAMES | _SAME_NAMES - _ITEM_NAMES:
            return value_of(arguments[0], scope, names)
        if name in _ITEM_NAMES:
            return _item(value_of(arguments[0], scope, names))
    if columns := TABLE_FUNCTIONS.get(names.dialect, {}).get(name):
        return Value(dict.fromkeys(columns.split(), SCALAR))
    return OPEN if names.dialect == "duckdb" else SCALAR


def _item(value: Value) -> Value:
    return value.item or (OPEN if value.is_open else SCALAR)


def _struct(node: exp.Struct, scope: Scope, names: NameResolver) -> Iterator[tuple[str, Value]]:
    for part in node.expressions:
        if isinstance(part, exp.PropertyEQ | exp.Alias):
            named = part.args.get("alias") if isinstance(part, exp.Alias) else part.this
            value = part.this if isinstance(part, exp.Alias) else part.expression
            if isinstance(named, exp.Expr):
                yield key_of(named, names.dialect), value_of(value, scope, names)


def _numbered(parts: list[exp.Expr], scope: Scope, names: NameResolver) -> Value:
    """A row without names, whose fields PostgreSQL calls `f1`, `f2`."""
    fields = {f"f{number}": value_of(part, scope, names) for number, part in enumerate(parts, 1)}
    return Value(fields) if names.dialect == "postgres" else OPEN


def _in_brackets(node: exp.Expr, base: Value, dialect: str) -> Value:
    index = node.expressions[0] if node.expressions else None
    if isinstance(index, exp.Slice):
        return base
    if base.item is not None:
        return base.item
    if isinstance(index, exp.Literal) and index.is_string and dialect == "duckdb":
        return base.fields.get(index.name.casefold(), OPEN)
    return OPEN if base.is_open or dialect == "duckdb" else SCALAR


def _branches(node: exp.Expr) -> list[exp.Expr | None]:
    if isinstance(node, exp.Case):
        return [*(branch.args.get("true") for branch in node.args.get("ifs") or []), node.args.get("default")]
    if isinstance(node, exp.If):
        return [node.args.get("true"), node.args.get("false")]
    return [node.this, *node.expressions]


def _first(branches: list[exp.Expr | None], scope: Scope, names: NameResolver) -> Value:
    """The value of the first branch that has fields or items."""
    values = [value_of(branch, scope, names) for branch in branches if branch is not None]
    return next((value for value in values if value != SCALAR), SCALAR)
