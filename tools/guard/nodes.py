"""The parts that a query may have, by the names of sqlglot's node classes.

Functions are checked in `calls.py`, by their names. So each function class passes here, except the few that are
written without brackets.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlglot import exp

QueryNodes = Sequence[exp.Expr]
"""All nodes of a query, parents before children. The rules share one walk through the tree."""
_N = TypeVar("_N", bound=exp.Expr)

_CLAUSES = """
    Select Subquery Union Intersect Except Values With CTE RecursiveWithSearch From Join Lateral Unnest Where Group
    Having Qualify Order Ordered Limit Offset Fetch LimitOptions Distinct Cube Rollup GroupingSets TableSample Pivot
    PivotAlias UnpivotColumns Window WindowSpec Filter WithinGroup IgnoreNulls RespectNulls HavingMax IndexTableHint
    TableFromRows Tuple Final
"""
_NAMES = """
    Table TableAlias TableColumn Column ColumnDef Identifier Star Alias Aliases Var PositionalColumn Pseudocolumn Dot
    PropertyEQ Kwarg Lambda Comprehension Bracket Slice ColumnPrefix
"""
_VALUES = """
    Literal Null Boolean DataType DataTypeParam HexString BitString ByteString RawString UnicodeString National Heredoc
    Introducer Interval IntervalSpan IntervalOp JSON JSONKeyValue JSONColumnDef JSONSchema JSONValue JSONPath
    JSONPathFilter JSONPathKey JSONPathRecursive JSONPathRoot JSONPathSelector JSONPathSlice JSONPathSubscript
    JSONPathUnion JSONPathWildcard JSONExtractQuote FormatJson OnCondition CharacterSet
"""
_OPERATORS = """
    Add Sub Mul Div IntDiv Mod Neg Paren DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift
    BitwiseRightShift EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Not Between In Like ILike SimilarTo Glob Match
    Escape Any All Adjacent Overlaps ExtendsLeft ExtendsRight Distance DistanceNd Collate AtTimeZone FromTimeZone
    Variadic Operator
"""
ALLOWED = frozenset(f"{_CLAUSES} {_NAMES} {_VALUES} {_OPERATORS}".split())
_OF_ENGINE = {"mysql": frozenset({"Partition", "Version"})}
"""Clauses of one engine, which another reads as something else."""
NOT_CALLED = (exp.NextValueFor,)
"""Functions that need no brackets and change something."""

_REASONS = {
    "Into": "INTO writes the result somewhere; leave it out and return the rows",
    "Lock": "locking rows is not reading; leave FOR UPDATE, FOR SHARE and the like out",
    "Hint": "optimizer hints may lift the limits of a query; leave the hint out",
    "Placeholder": "no values are bound to parameters; write the value itself",
    "Parameter": "no values are bound to parameters and variables are not kept; write the value itself",
    "SessionParameter": "settings of the server may not be read; only the tables may",
    "ObjectIdentifier": "casts to reg... types look into the system catalog; leave the cast out",
    "NextValueFor": "taking the next value of a sequence changes it; only reading is allowed",
    "QueryOption": "query options may lift the limits of a query; leave OPTION out",
}
_WRITES = (exp.DML, exp.DDL, exp.Command)


def of_kind(nodes: QueryNodes, kind: type[_N]) -> Iterator[_N]:
    """The nodes of a class, in their order."""
    return (node for node in nodes if isinstance(node, kind))


def is_allowed(node: exp.Expr, dialect: str) -> bool:
    """Whether a query may have a node."""
    if isinstance(node, exp.Func):
        return not isinstance(node, NOT_CALLED)
    if isinstance(node, exp.ObjectIdentifier):
        return True  # a type, which the rule for types judges
    return type(node).__name__ in ALLOWED or type(node).__name__ in _OF_ENGINE.get(dialect, frozenset())


def reason(node: exp.Expr) -> str:
    """The reason why a query may not have it, as a sentence for a model."""
    name = type(node).__name__
    if isinstance(node, _WRITES) and not isinstance(node, exp.Query):
        return f"{name.upper()} changes data; the query may only read, in every part of it"
    return _REASONS.get(name, f"{title(node)} is not allowed in a query that only reads; write it without")


def title(node: exp.Expr) -> str:
    """A node's kind in words, as SQL writes it where it can."""
    name = type(node).__name__
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
