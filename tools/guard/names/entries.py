"""The entries of FROM clauses, by the columns that each gives."""

from functools import partial

from sqlglot import exp

from route_sql.tools.guard.names.inference import value_of
from route_sql.tools.guard.names.resolver import NameResolver
from route_sql.tools.guard.names.sources import (
    TABLE_FUNCTIONS,
    FromEntry,
    Output,
    Scope,
    alias_key,
    alias_of,
    implicit_columns,
    json_columns,
    renamed,
)
from route_sql.tools.guard.names.values import OPEN, SCALAR, Value, fold, key_of, value_of_column
from route_sql.tools.guard.tables import is_dual
from route_sql.tools.schema.records import DEFAULT_NAMES, Table
from route_sql.tools.sql.named_tables import named_table

_FIRST_COLUMN = {"postgres": ("column", 1), "sqlite": ("column", 1), "mysql": ("column_", 0), "duckdb": ("col", 0)}
"""Numbers of the columns of VALUES, by engine."""


class Entries:
    """Reads the FROM clauses of one statement."""

    def __init__(self, names: NameResolver) -> None:
        """Nothing is read yet."""
        self._names = names
        self._dialect = names.dialect
        self.known: dict[int, list[FromEntry]] = {}
        self._columns_of: dict[int, list[Output]] = {}

    # reading

    def from_clause(self, node: exp.Expr, scope: Scope) -> None:
        """Add what a SELECT selects from."""
        if isinstance(clause := node.args.get("from_"), exp.Expr):
            self.add(clause.this, scope)
        for lateral in node.args.get("laterals") or []:
            self.add(lateral, scope)
        self._joined(node, scope)

    def _joined(self, node: exp.Expr, scope: Scope) -> None:
        for join in node.args.get("joins") or []:
            before = len(scope.sources)
            self.add(join.this, scope)
            for name in join.args.get("using") or []:
                self._shared(name, scope, before)
            if not isinstance(node, exp.Select) and isinstance(on := join.args.get("on"), exp.Expr):
                self._names.visit([on], scope)

    def _shared(self, name: exp.Expr, scope: Scope, before: int) -> None:
        """A column of USING must be on both sides."""
        named = name.this if isinstance(name, exp.Column) else name
        self._names.budget.spend(len(scope.sources))
        self._names.meet(named)
        key = key_of(named, self._dialect)
        sides = (scope.sources[:before], scope.sources[before:])
        has = [any(source.column(key) is not None for source in side) for side in sides]
        if not all(has):
            if self._dialect != "sqlite" or not any(has):  # SQLite itself says that a column is on one side only
                self._names.miss(named, scope)
        elif any(source.needs_schema for source in scope.sources):
            self._names.doubt(named)

    def add(self, node: exp.Expr, scope: Scope) -> None:
        """Add one entry."""
        before = len(scope.sources)
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope)
        elif isinstance(node, exp.Lateral):
            self._lateral(node, scope)
        elif isinstance(node, exp.Unnest):
            self._unnest(node, scope)
        elif isinstance(node, exp.Values):
            key = alias_key(node, self._dialect)
            scope.sources.append(FromEntry(key, renamed(self.rows(node, scope), alias_of(node), self._dialect)))
        else:
            self._names.visit(list(node.iter_expressions()), scope)
            scope.sources.append(FromEntry(alias_key(node, self._dialect), is_open=True))
        self._names.budget.spend(sum(1 + len(source.outputs) for source in scope.sources[before:]))
        self._joined(node, scope)
        if node.args.get("pivots"):
            self._pivoted(node, scope, before)

    def _pivoted(self, node: exp.Expr, scope: Scope, before: int) -> None:
        """A pivoted table, whose columns come from its cells."""
        for pivot in node.args["pivots"]:
            parts = list(pivot.iter_expressions())
            if pivot.args.get("unpivot"):
                parts = [part for group in pivot.args.get("fields") or [] for part in group.expressions]
            self._names.visit(parts, Scope(scope.parent, scope.sources[before:]))
            alias = alias_key(pivot, self._dialect)
            keys = {source.key for source in scope.sources[before:]}
            scope.sources[before:] = [FromEntry(alias or key, is_open=True) for key in keys]

    def rows(self, node: exp.Expr, scope: Scope) -> list[Output]:
        """The columns of VALUES."""
        self._names.visit(list(node.expressions), scope)
        first = node.expressions[0] if node.expressions else None
        cells = first.expressions if isinstance(first, exp.Tuple) else [first]
        if len(cells) == 1 and isinstance(cells[0], exp.Anonymous) and fold(cells[0].name) == "row":
            cells = cells[0].expressions
        word, start = _FIRST_COLUMN.get(self._dialect, ("column", 1))
        return [
            Output(f"{word}{number}", partial(value_of, cell, scope, self._names))
            for number, cell in enumerate(cells, start)
        ]

    def _derived(self, node: exp.Subquery, scope: Scope, *, is_lateral: bool = False) -> None:
        sees_row = is_lateral or self._dialect == "duckdb"
        around = Scope(scope.parent, list(scope.sources)) if sees_row else scope.parent
        inner = node.this
        if isinstance(inner, exp.Table | exp.Values | exp.Subquery) and not node.args.get("with_"):
            self._bracketed(node, inner, scope, around)
            return
        scope.sources.append(FromEntry(alias_key(node, self._dialect), self._names.query(node, around)))

    def _bracketed(self, node: exp.Subquery, inner: exp.Expr, scope: Scope, around: Scope | None) -> None:
        """A join or a table in brackets, with one alias or with its own aliases."""
        part = Scope(around)
        self.add(inner, part)
        if (key := alias_key(node, self._dialect)) is not None:
            outputs = [output for source in part.sources for output in source.outputs]
            is_open = any(source.is_open for source in part.sources)
            table = part.sources[0].table if len(part.sources) == 1 else None
            implicit = part.sources[0].implicit if len(part.sources) == 1 else frozenset()
            outputs = renamed(outputs, alias_of(node), self._dialect)
            needs = any(source.needs_schema for source in part.sources)
            part.sources = [FromEntry(key, outputs, (), table, implicit, is_open, needs)]
        scope.sources += part.sources

    def _lateral(self, node: exp.Lateral, scope: Scope) -> None:
        before = len(scope.sources)
        if isinstance(node.this, exp.Subquery):
            self._derived(node.this, scope, is_lateral=True)
            source = scope.sources[before]
            source.key = alias_key(node, self._dialect) or source.key
            source.outputs = renamed(source.outputs, alias_of(node), self._dialect)
        elif isinstance(node.this, exp.Unnest):
            self._unnest(node.this, scope, node)
        else:
            self._called(node, node.this, scope)

    def _table(self, node: exp.Table, scope: Scope) -> None:
        if isinstance(node.this, exp.Identifier):
            scope.sources.append(self.named(node, scope))
        elif functions := node.args.get("rows_from"):
            part = Scope(scope.parent, list(scope.sources))
            for function in functions:
                self._called(function, function if isinstance(function, exp.Unnest) else function.this, part)
            outputs = [output for source in part.sources[len(scope.sources) :] for output in source.outputs]
            outputs = renamed(self._numbered(node, outputs), alias_of(node), self._dialect)
            scope.sources.append(FromEntry(alias_key(node, self._dialect), outputs))
        elif isinstance(node.this, exp.Expr):
            self._called(node, node.this, scope)

    def named(self, node: exp.Table, scope: Scope) -> FromEntry:
        """A table or a common table expression, by its name."""
        names, dialect = self._names, self._dialect
        names.meet(node)
        if isinstance(version := node.args.get("version"), exp.Expr):
            names.visit(list(version.iter_expressions()), Scope())  # a time, which has no column
        key = alias_key(node, dialect) or key_of(node.this, dialect)
        common = None if node.db else names.commons.get(key_of(node.this, dialect))
        if common is not None and (outputs := common.outputs()) is not None:
            return FromEntry(key, renamed(outputs, alias_of(node), dialect))
        if is_dual(node, dialect):
            return FromEntry(key, [])
        if names.schema is None:
            names.doubt(node, is_table=True)
            return FromEntry(key, self._aliased(node), self._qualifiers(node, None), is_open=True, needs_schema=True)
        table = self.base(node)
        if table is None:
            names.miss(node, scope, is_table=True)
            return FromEntry(key, is_open=True)
        outputs = renamed(self._columns(table), alias_of(node), dialect)
        implicit = implicit_columns(
            table, dialect, is_partial=table.key in names.partial_keys, is_searched=names.is_searched
        )
        if node.args.get("version") is not None and table.key not in names.partial_keys:
            implicit |= {"row_start", "row_end"}
        return FromEntry(key, outputs, self._qualifiers(node, table), table, implicit)

    def _aliased(self, node: exp.Expr) -> list[Output]:
        return renamed([], alias_of(node), self._dialect)

    def _qualifiers(self, node: exp.Table, table: Table | None) -> tuple[str, ...]:
        if alias_of(node) is not None:
            return ()
        own = {key_of(node.args["db"], self._dialect)} if node.args.get("db") is not None else set()
        if table is not None:
            default = self._names.schema.default_names if self._names.schema else DEFAULT_NAMES
            own |= {table.namespace} if table.namespace else default
            if self._dialect == "mysql" and not table.namespace:
                own.add("*")  # the name of the database itself, which the schema does not tell
        return tuple(key_of(name, self._dialect) for name in own)

    def base(self, node: exp.Table) -> Table | None:
        """The table of the schema that a name stands for."""
        schema = self._names.schema
        if schema is None:
            return None
        is_any = node.db.casefold() == "temp" or self._dialect in ("mysql", "duckdb")
        return named_table(node, schema, self._dialect, is_any_default=is_any)

    def _columns(self, table: Table) -> list[Output]:
        if (key := id(table)) not in self._columns_of:  # a query may name a wide table thousands of times
            self._columns_of[key] = [
                Output(key_of(column.name, self._dialect), partial(value_of_column, column, self._dialect))
                for column in table.columns
            ]
        return self._columns_of[key]

    # table functions

    def _called(self, node: exp.Expr, function: exp.Expr, scope: Scope) -> None:
        if isinstance(function, exp.Dot):
            self._names.meet(function.this)
            function = function.expression
        if isinstance(function, exp.Unnest):
            self._unnest(function, scope, node)
            return
        self._names.visit(list(function.iter_expressions()), scope)
        key = alias_key(node, self._dialect)
        outputs, row = self._outputs(function, key, scope)
        outputs = renamed(self._numbered(node, outputs), alias_of(node), self._dialect)
        name = function_name(function)
        table = self._names.schema.table(name) if self._names.schema and self._dialect == "sqlite" else None
        implicit = frozenset({"rank", "rowid", name}) if table is not None else frozenset()
        scope.sources.append(FromEntry(key or name, outputs, table=table, implicit=implicit, row=row))

    def _outputs(self, function: exp.Expr, alias: str | None, scope: Scope) -> tuple[list[Output], Value | None]:
        """The columns of a function in a FROM clause, and the value of its name if that is not a row of them."""
        name = function_name(function)
        if isinstance(function, exp.JSONTable):
            return json_columns(function.args.get("schema"), self._dialect), None
        if columns := TABLE_FUNCTIONS.get(self._dialect, {}).get(name):
            return [Output.plain(column) for column in columns.split()], None
        if self._dialect == "sqlite" and self._names.schema and (table := self._names.schema.table(name)):
            return self._columns(table), None
        value = value_of(function, scope, self._names)
        if value.fields:
            return [Output.plain(key, part) for key, part in value.fields.items()], None
        return self._single_column(alias, name, value)

    def _single_column(self, alias: str | None, name: str, value: Value) -> tuple[list[Output], Value | None]:
        """The column of a function with a single one; PostgreSQL names it by the alias."""
        if self._dialect == "postgres":
            return [Output.plain(alias or name, value)], value
        return [Output.plain(name, value)], None

    def _unnest(self, node: exp.Unnest, scope: Scope, outer: exp.Expr | None = None) -> None:
        self._names.visit(list(node.expressions), scope)
        named = outer if outer is not None and alias_of(outer) is not None else node
        key = alias_key(named, self._dialect)
        outputs: list[Output] = []
        for item in node.expressions:
            value = value_of(item, scope, self._names)
            part = value.item or (OPEN if value.is_open else SCALAR)
            self._names.budget.spend(len(part.fields))
            if part.fields and self._dialect == "postgres":
                outputs += [Output.plain(name, inner) for name, inner in part.fields.items()]
            else:
                outputs += self._single_column(key if len(node.expressions) == 1 else None, "unnest", part)[0]
        row = outputs[0].value() if len(outputs) == 1 and self._dialect == "postgres" else None
        outputs = renamed(outputs, alias_of(named), self._dialect)
        if offset := node.args.get("offset"):  # the parser reads the last name of the alias as the name of the number
            is_named = isinstance(offset, exp.Identifier) and "start" in offset.meta
            outputs.append(Output.plain(key_of(offset, self._dialect) if is_named else "ordinality"))
        scope.sources.append(FromEntry(key or "unnest", outputs, row=row))

    def _numbered(self, node: exp.Expr, outputs: list[Output]) -> list[Output]:
        is_numbered = node.args.get("ordinality")
        return [*outputs, Output.plain("ordinality")] if is_numbered else outputs


def function_name(function: exp.Expr) -> str:
    """The name of a function as the engine knows it, as far as the parser kept it."""
    if isinstance(function, exp.GenerateSeries) and function.args.get("is_end_exclusive"):
        return "range"
    if isinstance(function, exp.Anonymous):
        return fold(function.name)
    if isinstance(function, exp.Func):
        return {"exploding_generate_series": "generate_series"}.get(
            fold(function.sql_name()), fold(function.sql_name())
        )
    return ""
