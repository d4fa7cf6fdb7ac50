"""The queries of a statement: what each may name, and the columns that it gives."""

from collections.abc import Iterator
from functools import partial

from sqlglot import exp

from route_sql.tools.guard.names.commons import Common, declared
from route_sql.tools.guard.names.entries import Entries
from route_sql.tools.guard.names.finding import Finder
from route_sql.tools.guard.names.inference import value_of
from route_sql.tools.guard.names.resolver import NameResolver
from route_sql.tools.guard.names.sources import UNKNOWABLE, FromEntry, Output, Scope, alias_of, renamed
from route_sql.tools.guard.names.values import OPEN, key_of

_ALIASES_IN = {
    "sqlite": frozenset({"where", "group", "having", "order", "joins", "windows"}),
    "postgres": frozenset({"group", "order"}),
    "mysql": frozenset({"group", "having", "order"}),
    "duckdb": frozenset({"expressions", "where", "group", "having", "order", "qualify"}),
}
"""The clauses that see the aliases of the select list."""
_CLAUSES = ("joins", "distinct", "where", "group", "having", "qualify", "windows", "order", "limit", "offset")


class Queries:
    """Reads the queries of one statement."""

    def __init__(self, names: NameResolver, entries: Entries, finder: Finder) -> None:
        """No query is read yet."""
        self._names = names
        self._entries = entries
        self._finder = finder
        self._dialect = names.dialect
        self._outputs: dict[int, list[Output]] = {}

    def query(self, node: exp.Expr, scope: Scope | None) -> list[Output]:
        """Resolve the names of a query within `scope`; its outputs."""
        if id(node) not in self._outputs:
            before = self._names.commons
            self._outputs[id(node)] = []  # ends a recursion without end
            self._outputs[id(node)] = self._read(node, scope)
            self._names.budget.spend(len(self._outputs[id(node)]))
            self._names.commons = before
        return self._outputs[id(node)]

    def _read(self, node: exp.Expr, scope: Scope | None, common: Common | None = None) -> list[Output]:
        self._declare(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._united(node, scope, common)
        if isinstance(node, exp.Subquery):
            return self._in_brackets(node, scope)
        if isinstance(node, exp.Values):
            return self._entries.rows(node, scope or Scope())
        if isinstance(node, exp.Select):
            return self._selected(node, Scope(scope))
        if isinstance(node, exp.Table):  # `TABLE name`
            inner = Scope(scope)
            self._entries.add(node, inner)
            return [output for source in inner.sources for output in source.outputs]
        if isinstance(node, exp.Pivot):
            return self._pivoted(node, Scope(scope))
        self._names.visit(list(node.iter_expressions()), scope or Scope())
        return []

    def _pivoted(self, node: exp.Pivot, scope: Scope) -> list[Output]:
        """A whole statement that is a pivot, whose columns come from cells."""
        self._entries.add(node.this, scope)
        self._names.visit([part for part in node.iter_expressions() if part.arg_key not in ("this", "into")], scope)
        return [Output.plain(UNKNOWABLE, OPEN)]

    def _declare(self, node: exp.Expr, scope: Scope | None) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        read = partial(self._common, scope=scope)
        self._names.commons, commons = declared(clause, self._names.commons, self._dialect, read)
        for common in commons:
            common.outputs()

    def _common(self, common: Common, scope: Scope | None) -> list[Output]:
        before, self._names.commons = self._names.commons, common.sees
        try:
            outputs = self._read(common.node.this, scope, common)
        finally:
            self._names.commons = before
        return renamed(outputs, alias_of(common.node), self._dialect) + common.further

    def _united(self, node: exp.SetOperation, scope: Scope | None, common: Common | None) -> list[Output]:
        outer, parts = node, []
        while isinstance(node, exp.SetOperation) and (node is outer or node.args.get("with_") is None):
            parts.append(node.expression)
            tails = [node.args.get(clause) for clause in ("order", "limit", "offset")]
            node = node.this
        every = [self.query(node, scope)]
        if common is not None:
            common.first = renamed(every[0], alias_of(common.node), self._dialect)
        every += [self.query(part, scope) for part in reversed(parts)]
        ordered = Scope(scope, sources=[FromEntry(None, [output for outputs in every for output in outputs])])
        if self._dialect == "sqlite":
            ordered.sources += [source for part in (node, *parts) for source in self._entries.known.get(id(part), [])]
        tails = [outer.args.get(clause) for clause in ("order", "limit", "offset")]
        self._names.visit([tail for tail in tails if tail is not None], ordered)
        return every[0]

    def _in_brackets(self, node: exp.Subquery, scope: Scope | None) -> list[Output]:
        outputs = self.query(node.this, scope)
        inner = Scope(scope, sources=[FromEntry(None, outputs)])
        self._names.visit([tail for clause in ("order", "limit", "offset") if (tail := node.args.get(clause))], inner)
        return renamed(outputs, alias_of(node), self._dialect)

    def _selected(self, node: exp.Select, scope: Scope) -> list[Output]:
        self._entries.from_clause(node, scope)
        self._entries.known[id(node)] = scope.sources
        visible = _ALIASES_IN.get(self._dialect, frozenset())
        scope.shows_aliases = "expressions" in visible
        for item in node.expressions:
            self._item(item, scope)
        for clause in _CLAUSES:
            scope.shows_aliases = clause in visible
            parts = node.args.get(clause) or []
            if clause == "joins":
                parts = [join.args["on"] for join in parts if join.args.get("on") is not None]
            self._names.visit(parts if isinstance(parts, list) else [parts], scope)
        scope.shows_aliases = False
        return [output for item in node.expressions for output in self._outputs_of(item, scope)]

    def _item(self, item: exp.Expr, scope: Scope) -> None:
        """Resolve an item of the select list, whose alias means something only after it: `coalesce(a, 0) AS a`."""
        self._names.visit([item], scope)
        if isinstance(item, exp.Alias) and isinstance(item.args.get("alias"), exp.Identifier):
            scope.aliases[key_of(item.args["alias"], self._dialect)] = value_of(item.this, scope, self._names)

    def _outputs_of(self, item: exp.Expr, scope: Scope) -> Iterator[Output]:
        """The columns that an item of the select list gives."""
        is_star = isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))
        if is_star or (isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star)):
            yield from self._finder.starred(item, scope)
            return
        value = partial(value_of, item, scope, self._names)
        if isinstance(item, exp.Explode) and self._dialect == "duckdb":
            yield from (Output.plain(key, part) for key, part in value_of(item.this, scope, self._names).fields.items())
        if isinstance(item, exp.Columns):
            yield from (output for source in scope.sources for output in source.outputs)
        yield Output(self._output_key(item), value)

    def _output_key(self, item: exp.Expr) -> str | None:
        while isinstance(item, exp.Cast | exp.Paren) and self._dialect == "postgres":
            item = item.this
        if isinstance(item, exp.Alias):
            alias = item.args.get("alias")
            return key_of(alias, self._dialect) if isinstance(alias, exp.Expr) else None
        if isinstance(item, exp.Paren) and self._dialect == "mysql":
            return self._output_key(item.this)
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
            return key_of(item.this, self._dialect)
        if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
            return key_of(item.expression, self._dialect)
        return None
