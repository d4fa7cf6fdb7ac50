"""The known part of a value: its fields, which follow a dot, and its items, which follow a bracket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError

from route_sql.tools.schema.records import Column, Schema

Kind = exp.DataType.Type
_FIELDS = (Kind.STRUCT, Kind.UNION, Kind.OBJECT)
_LISTS = (Kind.ARRAY, Kind.LIST)
_FREE = (Kind.JSON, Kind.VARIANT, Kind.UNKNOWN, Kind.USERDEFINED)


@dataclass(frozen=True)
class Value:
    """A value. `fields` are those of a composite, by key; `item` is that of an array or the value of a map.

    The fields of an open value can't be known. A map is open: DuckDB reads `m.k` as `m['k']`.
    """

    fields: Mapping[str, "Value"] = field(default_factory=dict)
    item: "Value | None" = None
    is_open: bool = False


SCALAR = Value()
OPEN = Value(is_open=True)


def key_of(name: exp.Expr | str, dialect: str) -> str:
    """The key of a name as a query writes it; names that the engine takes for the same have equal keys."""
    if isinstance(name, str):
        return name if dialect == "postgres" else name.casefold()
    if dialect != "postgres":
        return name.name.casefold()
    # PostgreSQL folds the letters of ASCII, and those of a bare name only.
    return name.name if name.args.get("quoted") else fold(name.name)


def fold(text: str) -> str:
    """A text with its ASCII letters in lower case."""
    return text.lower() if text.isascii() else "".join(map(_folded_letter, text))


def _folded_letter(letter: str) -> str:
    return letter.lower() if letter.isascii() else letter


def value_of_column(column: Column, dialect: str) -> Value:
    """Value of a column of the schema."""
    if column.fields:
        row = Value({key_of(part.name, dialect): value_of_column(part, dialect) for part in column.fields})
        return Value(item=row) if column.type.endswith("[]") else row
    return _value_of_text(column.type, dialect) if dialect == "duckdb" else SCALAR


@lru_cache(maxsize=4_096)
def _value_of_text(text: str, dialect: str) -> Value:
    """Value of a type, read from its text, such as `STRUCT("first" VARCHAR)[]`."""
    if not any(mark in text for mark in "([JV"):
        return SCALAR
    try:
        return value_of_type(exp.DataType.build(text, dialect=dialect), dialect, {})
    except (SqlglotError, ValueError, RecursionError):
        return OPEN


def value_of_type(kind: exp.Expr, dialect: str, own: Mapping[str, Value]) -> Value:
    """Value of a type that a query names.

    Args:
        kind: The parsed type.
        dialect: The sqlglot name of the dialect.
        own: The composite types of the schema, by key.
    """
    parts = kind.expressions
    if kind.this in _FIELDS:
        named = (part for part in parts if isinstance(part, exp.ColumnDef))
        return Value({key_of(part.this, dialect): value_of_type(_kind(part), dialect, own) for part in named})
    if kind.this in _LISTS:
        return Value(item=value_of_type(parts[0], dialect, own) if parts else SCALAR)
    if kind.this == Kind.MAP:
        value = value_of_type(parts[-1], dialect, own) if parts else SCALAR
        return Value(item=value, is_open=True)
    if kind.this == Kind.USERDEFINED and dialect == "postgres":
        return own.get(type_key(kind, dialect), SCALAR)
    return OPEN if kind.this in _FREE and dialect == "duckdb" else SCALAR


def _kind(part: exp.Expr) -> exp.Expr:
    kind = part.args.get("kind")
    return kind if isinstance(kind, exp.Expr) else exp.DataType(this=Kind.UNKNOWN)


def type_key(kind: exp.Expr, dialect: str) -> str:
    """The key of a type that the parser does not know, without its schema."""
    named = kind.args.get("kind")
    if isinstance(named, exp.Dot):
        named = named.expression
    return key_of(named, dialect) if isinstance(named, exp.Expr) else fold(str(named or ""))


def composite_types(schema: Schema | None, dialect: str) -> dict[str, Value]:
    """The composite types that the columns of a schema have, by key."""
    found: dict[str, Value] = {}

    def add(column: Column) -> None:
        if column.fields:
            value = value_of_column(column, dialect)
            found[bare_type(column.type)] = value.item or value
            for part in column.fields:
                add(part)

    if dialect == "postgres":
        for table in schema or ():
            for column in table.columns:
                add(column)
    return found


def bare_type(text: str) -> str:
    """The name of a type without its schema, quotes and brackets."""
    name = text.partition("(")[0].partition("[")[0].strip()
    last = name.rpartition(".")[2] if not name.endswith('"') else name.rpartition('."')[2]
    return last.strip('"').replace('""', '"')
