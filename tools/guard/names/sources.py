"""Entries of a FROM clause, by the columns that they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from route_sql.tools.guard.names.values import OPEN, SCALAR, Value, key_of
from route_sql.tools.schema.records import Table

Lazy = Callable[[], Value]
_JSON_ROWS = "key value type atom id parent fullkey path"

TABLE_FUNCTIONS: dict[str, dict[str, str]] = {
    "sqlite": {
        **dict.fromkeys(("json_each", "json_tree", "jsonb_each", "jsonb_tree"), f"{_JSON_ROWS} json root"),
        "generate_series": "value start stop step",
    },
    "postgres": {
        **dict.fromkeys(("json_each", "jsonb_each", "json_each_text", "jsonb_each_text"), "key value"),
        **dict.fromkeys(
            ("json_array_elements", "jsonb_array_elements", "json_array_elements_text", "jsonb_array_elements_text"),
            "value",
        ),
    },
    "mysql": {},
    "duckdb": dict.fromkeys(("json_each", "json_tree"), _JSON_ROWS),
}
"""The columns of table functions that have several, or one whose name is not the function's."""
_FULL_TEXT = "rank"
UNKNOWABLE, UNTOLD = "*", "*?"
"""Keys that stand for columns that can't be known at all, or not without a schema."""


class Output:
    """A column of a query or a table; its key is None if the query gives it no name."""

    def __init__(self, key: str | None, value: Lazy) -> None:
        """Find the value on first use."""
        self.key = key
        self._lazy = value
        self._value: Value | None = None

    def value(self) -> Value:
        """Value of the column."""
        if self._value is None:
            self._value = self._lazy()
        return self._value

    @classmethod
    def plain(cls, key: str | None, value: Value = SCALAR) -> "Output":
        """A column whose value is known."""
        return cls(key, lambda: value)


@dataclass
class FromEntry:
    """One entry of a FROM clause.

    Args:
        key: Its alias, or the name it has without one.
        outputs: Its columns.
        qualifiers: The keys of the namespaces that may be written before its name.
        table: The table of the schema, if it is one.
        implicit: Keys of columns that it has without showing them, such as SQLite's `rowid`.
        is_open: Its columns can't be known.
        needs_schema: It is a table, and no schema is given.
        row: The value of its name alone; None is a row of its columns.
    """

    key: str | None
    outputs: list[Output] = field(default_factory=list)
    qualifiers: tuple[str, ...] = ()
    table: Table | None = None
    implicit: frozenset[str] = frozenset()
    is_open: bool = False
    needs_schema: bool = False
    row: Value | None = None

    def __post_init__(self) -> None:
        """Mark the entry as open if a column stands for others."""
        keys = {output.key for output in self.outputs}
        self.needs_schema |= UNTOLD in keys
        self.is_open |= UNKNOWABLE in keys or UNTOLD in keys

    def column(self, key: str) -> Value | None:
        """The column of that key, None if there is none."""
        if (found := self._by_key.get(key)) is not None:
            return found.value()
        if key in self.implicit:
            return SCALAR
        return OPEN if self.is_open else None

    def has(self, key: str) -> bool:
        """Whether it surely has a column of that key."""
        return key in self.implicit or key in self._by_key

    @property
    def has_unnamed(self) -> bool:
        """Whether one of its columns has a name that only the engine knows."""
        return None in self._by_key

    @cached_property
    def _by_key(self) -> dict[str | None, Output]:
        """The first column of each key; made when a name is first sought, from when on the columns stay the same."""
        return {output.key: output for output in reversed(self.outputs)}

    def as_row(self) -> Value:
        """The value of its name where the query needs a value."""
        return (self.row or OPEN) if self.row is not None or self.is_open else self._of_columns

    @cached_property
    def _of_columns(self) -> Value:
        return Value({output.key: output.value() for output in self.outputs if output.key is not None})


@dataclass
class Scope:
    """Meanings that the names of one query may have."""

    parent: "Scope | None" = None
    sources: list[FromEntry] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)
    shows_aliases: bool = False
    bound: Mapping[str, Value] = field(default_factory=dict)
    """Parameters of lambdas and the like."""


def renamed(outputs: list[Output], alias: exp.Expr | None, dialect: str) -> list[Output]:
    """The columns under the names that an alias gives them: `AS t(a, b)`."""
    names = [_column_name(column) for column in alias.args.get("columns") or []] if alias is not None else []
    if not names:
        return outputs
    values = [output.value for output in outputs] + [lambda: SCALAR] * (len(names) - len(outputs))
    given = [Output(key_of(name, dialect), value) for name, value in zip(names, values, strict=False)]
    return [*given, *outputs[len(names) :]]


def _column_name(column: exp.Expr) -> exp.Expr:
    return column.this if isinstance(column, exp.ColumnDef) else column


def alias_of(node: exp.Expr) -> exp.Expr | None:
    """The alias of an entry of a FROM clause, with its columns."""
    alias = node.args.get("alias")
    return alias if isinstance(alias, exp.TableAlias) else None


def alias_key(node: exp.Expr, dialect: str) -> str | None:
    """The key of the alias of an entry of a FROM clause."""
    alias = alias_of(node)
    return key_of(alias.this, dialect) if alias is not None and alias.this is not None else None


def implicit_columns(table: Table, dialect: str, *, is_partial: bool, is_searched: bool) -> frozenset[str]:
    """The columns that a table has without showing them.

    Args:
        table: The table.
        dialect: The sqlglot name of the dialect.
        is_partial: It has hidden columns, so that it is replaced by a query that selects the visible ones.
        is_searched: The query has a full-text search, to whose tables SQLite gives columns of their own.
    """
    if table.is_view or is_partial:
        return frozenset()
    if dialect == "sqlite":
        searched = {_FULL_TEXT, key_of(table.name, dialect)} if is_searched else set()
        return frozenset({"rowid", "oid", "_rowid_", *searched})
    return {"duckdb": frozenset({"rowid"}), "postgres": frozenset({"ctid"})}.get(dialect, frozenset())


def json_columns(schema: exp.Expr | None, dialect: str) -> list[Output]:
    """The columns of JSON_TABLE, those of nested paths among them."""
    found: list[Output] = []
    for column in schema.expressions if schema is not None else ():
        if column.args.get("nested_schema") is not None:
            found += json_columns(column.args["nested_schema"], dialect)
        elif isinstance(column.this, exp.Identifier):
            found.append(Output.plain(key_of(column.this, dialect)))
        else:
            found.append(Output.plain(key_of(str(column.this), dialect)))
    return found
