"""Tables and columns that the names of a query refer to, resolved by sqlglot's scopes.

Covered: aliases, common table expressions, derived tables, correlated subqueries, set operations, `USING`,
natural joins, stars, aliases of the select list, SQLite's `rowid` and its reading of an unknown `"name"` as a
string. Not covered: columns of table functions, which always count as found.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.scope import Scope, traverse_scope

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.named_tables import named_table
from route_sql.tools.sql.parsing import Tree

ROWID = {"rowid", "oid", "_rowid_"}
DEFAULT_NAMESPACES = {"main", "temp", "public", "dbo"}


@dataclass(frozen=True)
class Name:
    """A table or column name in a query, at `start` to `end` (inclusive) of the text.

    `table` and `column` are the table and column of the schema, None for a name that the query itself defines. `found`
    is False for an unknown name; then `sources` are the tables in which it was looked up.
    """

    text: str
    start: int
    end: int
    is_table: bool
    found: bool = True
    table: Table | None = None
    column: Column | None = None
    sources: tuple[Table, ...] = ()


@dataclass
class Source:
    """Source in a FROM clause: a table of the schema, a query with output names, or neither (None)."""

    table: Table | None
    names: frozenset[str] | None

    def offers(self, name: str) -> bool | None:
        """Whether the source has that column; None if that can't be known."""
        if self.table is not None:
            implicit = name.casefold() in ROWID and not self.table.is_view
            return self.table.column(name) is not None or implicit
        return None if self.names is None else name.casefold() in self.names


@dataclass
class Resolver:
    """Resolves the names of one query.

    Args:
        tree: The query, parsed from `sql`, so that its nodes have their positions in it.
        sql: Text of the query.
        schema: Schema of the database.
        open_end: Where the text of an unfinished query ends: a FROM clause that reaches this position, or is still
            missing, may still declare names that are used before it. None for a whole query.
    """

    tree: Tree
    sql: str
    schema: Schema
    open_end: int | None = None
    _sources: dict[int, dict[str, Source]] = field(default_factory=dict)

    def names(self) -> list[Name]:
        """Table and column names in the order of the text; empty if sqlglot can't separate the scopes."""
        try:
            return sorted(set(self._names()), key=lambda name: (name.start, name.text))
        except (OptimizeError, RecursionError):  # for example an alias that is used twice
            return []

    def _names(self) -> Iterator[Name]:
        scopes = traverse_scope(self.tree)
        by_node = {id(scope.expression): scope for scope in scopes}
        for scope in scopes:
            yield from self._tables(scope)
            yield from self._shared_columns(scope)
        for node in self.tree.find_all(exp.Column, exp.Star):
            if scope_of := _scope_of(node, by_node):
                yield from self._starred(node, scope_of) if _is_star(node) else [self._column(node, scope_of)]

    # tables

    def _tables(self, scope: Scope) -> Iterator[Name]:
        for _, source in scope.selected_sources.values():
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                yield self._table_name(source)

    def _table_name(self, node: exp.Table) -> Name:
        table, (start, end) = self._base(node), _place(node.parts)
        return Name(self._text(start, end, node.name), start, end, True, table is not None, table)

    def _base(self, node: exp.Table) -> Table | None:
        if self.schema.dialect == "postgres":
            is_temporary = node.db.casefold() == "temp"
            return named_table(node, self.schema, "postgres", is_any_default=is_temporary)
        if node.db and node.db.casefold() not in DEFAULT_NAMESPACES:
            return self.schema.table(f"{node.db}.{node.name}")
        return self.schema.table(node.name) or self.schema.table(f"{node.db}.{node.name}")

    def _sources_of(self, scope: Scope) -> dict[str, Source]:
        """Sources of a scope, by case-folded alias; a set operation has the sources of its parts."""
        if id(scope) not in self._sources:
            self._sources[id(scope)] = {}  # ends the recursion of a recursive common table expression
            own = {alias.casefold(): self._source(s) for alias, (_, s) in scope.selected_sources.items()}
            for part in scope.set_operation_scopes:
                own = {**self._sources_of(part), **own}
            self._sources[id(scope)] = own
        return self._sources[id(scope)]

    def _source(self, source: exp.Expr | Scope) -> Source:
        if isinstance(source, Scope):
            return Source(None, self._outputs(source))
        is_table = isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
        return Source(self._base(source) if is_table and isinstance(source, exp.Table) else None, None)

    def _outputs(self, scope: Scope) -> frozenset[str] | None:
        """Case-folded output names of a query; None if they can't be known."""
        node = scope.expression
        while isinstance(node.parent, exp.SetOperation):
            node = node.parent
        if isinstance(node.parent, exp.CTE | exp.Subquery) and node.parent.alias_column_names:
            return frozenset(name.casefold() for name in node.parent.alias_column_names)
        query = scope.expression
        while isinstance(query, exp.SetOperation):
            query = query.this.unnest()
        if not isinstance(query, exp.Select):
            return None
        names: set[str] = set()
        for item in query.expressions:
            if _is_star(item) or not item.alias_or_name:
                return self._all_outputs(scope) if _is_star(item) else None
            names.add(item.alias_or_name.casefold())
        return frozenset(names)

    def _all_outputs(self, scope: Scope) -> frozenset[str] | None:
        """Output names of a query with a star: every column of its sources, and its other output names."""
        names = {item.alias_or_name.casefold() for item in getattr(scope.expression, "selects", [])}
        for source in self._sources_of(scope).values():
            if source.table is not None:
                names |= {column.name.casefold() for column in source.table.columns}
            elif source.names is None:
                return None
            else:
                names |= source.names
        return frozenset(names)

    # columns

    def _column(self, node: exp.Expr, scope: Scope) -> Name:
        assert isinstance(node, exp.Column)
        start, end = _place(node.parts)
        text = self._text(start, end, node.sql())
        if _in_clause(node, scope.expression, "order") and _is_output(node, scope):
            return Name(text, start, end, False)
        looked: list[Table] = []
        unsure = False
        for level in _outward(scope):
            sources = self._sources_of(level)
            if node.table:
                sources = {k: s for k, s in sources.items() if k == node.table.casefold()}
            for source in sources.values():
                if offered := source.offers(node.name):
                    column = source.table.column(node.name) if source.table else None
                    return Name(text, start, end, False, True, source.table, column)
                unsure |= offered is None
            looked += [source.table for source in sources.values() if source.table]
            if not node.table and not _in_clause(node, level.expression, "expressions") and _is_output(node, level):
                return Name(text, start, end, False)
            unsure |= (not sources or not node.table) and self._may_still_declare(level, start)
            if node.table and sources:
                break
        found = self._is_string(node) or (unsure and self._exists_somewhere(node.name))
        return Name(text, start, end, False, found, sources=tuple(looked))

    def _exists_somewhere(self, name: str) -> bool:
        """Whether a column of an unknown source may exist: a table has one of that name, or a source is a function."""
        return self._has_functions or name.casefold() in self._column_names

    @cached_property
    def _has_functions(self) -> bool:
        return any(not isinstance(table.this, exp.Identifier) for table in self.tree.find_all(exp.Table))

    @cached_property
    def _column_names(self) -> frozenset[str]:
        return frozenset(column.name.casefold() for table in self.schema for column in table.columns)

    def _is_string(self, node: exp.Column) -> bool:
        """Whether SQLite reads a name as a string: one in double quotes that is unknown as a column."""
        start = _place(node.parts)[0]
        return self.schema.dialect == "sqlite" and not node.table and self.sql[start : start + 1] == '"'

    def _may_still_declare(self, scope: Scope, start: int) -> bool:
        """Whether the FROM clause of a scope is unfinished and the name at `start` comes before it."""
        if self.open_end is None:
            return False
        places = [_place(table.parts)[0] for table in scope.tables] or [self.open_end]
        if min(places) >= self.open_end:
            return True
        later = ("where", "group", "having", "order", "limit", "windows")
        finished = any(scope.expression.args.get(clause) for clause in later)
        return start < min(places) and not finished

    def _shared_columns(self, scope: Scope) -> Iterator[Name]:
        """Columns that USING names and columns that a natural join compares."""
        tables = [source.table for source in self._sources_of(scope).values() if source.table]
        for join in scope.expression.args.get("joins") or []:
            for identifier in join.args.get("using") or []:
                yield from self._in_each(tables, identifier)
            if join.args.get("method") == "NATURAL":
                for table in tables:
                    shared = [c for c in table.columns if sum(t.column(c.name) is not None for t in tables) > 1]
                    yield from (Name(c.name, 0, -1, False, True, table, c) for c in shared)

    def _in_each(self, tables: list[Table], identifier: exp.Expr) -> Iterator[Name]:
        start, end = _place([identifier])
        owners = [(table, column) for table in tables if (column := table.column(identifier.name))]
        for table, column in owners:
            yield Name(identifier.name, start, end, False, True, table, column)
        if tables and not owners:
            yield Name(identifier.name, start, end, False, False, sources=tuple(tables))

    def _starred(self, node: exp.Expr, scope: Scope) -> list[Name]:
        """Columns that a star of the select list selects; a star elsewhere, as in COUNT(*), uses none."""
        if not isinstance(node.parent, exp.Select) or not isinstance(scope.expression, exp.Select):
            return []
        wanted = node.table.casefold() if isinstance(node, exp.Column) else ""
        sources = self._sources_of(scope)
        if wanted and wanted not in sources and isinstance(node, exp.Column):
            (start, end), tables = _place(node.parts[:-1]), [s.table for s in sources.values() if s.table]
            found = self._may_still_declare(scope, start)
            return [Name(self._text(start, end, node.table), start, end, True, found, sources=tuple(tables))]
        tables = [s.table for alias, s in sources.items() if s.table and wanted in ("", alias)]
        return [Name(column.name, 0, -1, False, True, table, column) for table in tables for column in table.columns]

    def _text(self, start: int, end: int, otherwise: str) -> str:
        return self.sql[start : end + 1] or otherwise


def _is_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def _place(parts: list[exp.Expr]) -> tuple[int, int]:
    """Positions of the first and last character of a dotted name; (0, -1) where the parser has none."""
    return int(parts[0].meta.get("start", 0)), int(parts[-1].meta.get("end", -1))


def _scope_of(node: exp.Expr, by_node: dict[int, Scope]) -> Scope | None:
    above: exp.Expr | None = node.parent
    if isinstance(node, exp.Star) and isinstance(above, exp.Column):
        return None  # the column `t.*` around this star is resolved on its own
    while above is not None and id(above) not in by_node:
        above = above.parent
    return by_node[id(above)] if above is not None else None


def _outward(scope: Scope) -> Iterator[Scope]:
    """A scope, then the enclosing scopes whose names it may use, from the inside out.

    A common table expression uses no enclosing scope. A derived table does not use the scope whose FROM clause it is
    in. A part of a set operation does not use the sources of the other parts.
    """
    level: Scope | None = scope
    while level is not None:
        yield level
        while level.is_set_operation and level.parent is not None:
            level = level.parent
        around = level.parent if level.is_derived_table else level
        level = None if level.is_cte or around is None else around.parent


def _in_clause(node: exp.Expr, query: exp.Expr, clause: str) -> bool:
    """Whether a node is in a clause of a query; `expressions` is the select list."""
    below: exp.Expr = node
    while below.parent is not None and below.parent is not query:
        below = below.parent
    return below.parent is query and below.arg_key == clause


def _is_output(node: exp.Column, scope: Scope) -> bool:
    """Whether an unqualified name is an output name of a query or of a part of a set operation."""
    if node.table:
        return False
    queries = [scope.expression, *(part.expression for part in scope.set_operation_scopes)]
    outputs = {item.alias.casefold() for q in queries for item in getattr(q, "selects", []) if item.alias}
    return node.name.casefold() in outputs
