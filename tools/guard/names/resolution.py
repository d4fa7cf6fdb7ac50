"""Resolves every name of a query: a name without a meaning is not sent to the engine.

PostgreSQL calls functions without brackets: `(x).f` and `a.f` are `f(x)` and `f(a)` where `f` is not a field. So a name
after a dot must be a known column or field, or a function that may be called.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import Token, TokenType, exp

from route_sql.tools.guard.calls import TELLS_TYPES, is_named
from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.guard.names.budget import Budget
from route_sql.tools.guard.names.commons import Commons
from route_sql.tools.guard.names.entries import Entries
from route_sql.tools.guard.names.finding import Finder
from route_sql.tools.guard.names.inference import value_of
from route_sql.tools.guard.names.queries import Queries
from route_sql.tools.guard.names.sources import Output, Scope
from route_sql.tools.guard.names.values import OPEN, SCALAR, Value, composite_types, key_of
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.parsing import Tree
from route_sql.tools.sql.scopes import Name

RESOLVED = frozenset({"sqlite", "postgres", "mysql", "duckdb"})
"""The dialects whose names are resolved."""
_SILENT = (exp.Identifier, exp.Literal, exp.DataType, exp.Var, exp.JSONPath, exp.ObjectIdentifier)
_NO_NAMES = (TokenType.STAR, TokenType.NUMBER)
"""Text that may follow a dot without being a name: `t.*`, `.5`."""
_UNITS = frozenset({"get_format"})
"""Functions whose first argument is a keyword."""


@dataclass(frozen=True)
class Unresolved:
    """The names of a query without a meaning, and those whose meaning only a schema can tell."""

    unknown: tuple[Name, ...] = ()
    unsure: tuple[Name, ...] = ()
    called: tuple[exp.Expr, ...] = ()
    """Words without brackets that are functions which may not be called."""


def unresolved(
    sql: str,
    tree: Tree,
    found: list[Token],
    schema: Schema | None,
    dialect: str,
    partial_keys: Collection[str] = (),
    functions: Collection[str] = (),
) -> Unresolved:
    """The names of a query that can't be resolved.

    Args:
        sql: The text.
        tree: Its tree.
        found: Its tokens.
        schema: The tables that the caller may see; None if they are not known.
        dialect: The sqlglot name of the dialect.
        partial_keys: The keys of those tables that have further columns.
        functions: Further functions that may be called.

    Raises:
        RecursionError: the query is nested too deeply.
        TooManySteps: it is too large.
    """
    names = Names(sql, schema, dialect, frozenset(partial_keys), frozenset(functions), tree)
    names.query(tree, None)
    if dialect == "postgres":
        names.check_dots(found)
    return Unresolved(_in_order(names.unknown), _in_order(names.unsure), tuple(names.called))


def _in_order(names: list[Name]) -> tuple[Name, ...]:
    by_place = {(name.start, name.text): name for name in names}
    return tuple(by_place[place] for place in sorted(by_place))


@dataclass
class Names:
    """Resolves the names of one statement."""

    sql: str
    schema: Schema | None
    dialect: str
    partial_keys: frozenset[str]
    functions: frozenset[str]
    tree: exp.Expr
    unknown: list[Name] = field(default_factory=list)
    unsure: list[Name] = field(default_factory=list)
    called: list[exp.Expr] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    """Places of the names that were resolved."""

    def __post_init__(self) -> None:
        """Nothing is resolved yet."""
        self.own_types: Mapping[str, Value] = composite_types(self.schema, self.dialect)
        self.is_searched = self.dialect == "sqlite" and any(self.tree.find_all(exp.Match, exp.Anonymous))
        self.commons: Commons = {}
        self.budget = Budget()
        self.entries = Entries(self)
        self.finder = Finder(self)
        self.queries = Queries(self, self.entries, self.finder)

    def query(self, node: exp.Expr, scope: Scope | None) -> list[Output]:
        """Resolve the names of a query within `scope`; its outputs."""
        return self.queries.query(node, scope)

    # expressions

    def visit(self, nodes: list[exp.Expr], scope: Scope) -> None:
        """Resolve the names of expressions."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.Column):
                self._column(node, scope)
            elif isinstance(node, exp.Dot):
                self._dotted(node, scope)
            elif isinstance(node, exp.Query | exp.Values):
                self.query(node, scope)
            elif isinstance(node, exp.Lambda | exp.Comprehension):
                self._with_parameters(node, scope)
            elif not isinstance(node, _SILENT):
                waiting += self._parts(node)

    def _parts(self, node: exp.Expr) -> list[exp.Expr]:
        """The parts of an expression that hold names of columns."""
        if isinstance(node, exp.Collate):
            self.meet(node.expression)
            return [node.this]
        if isinstance(node, exp.In) and self.dialect == "sqlite" and isinstance(node.args.get("field"), exp.Column):
            name = node.args["field"]
            self.entries.named(
                exp.Table(this=name.this.copy(), db=name.args["table"].copy() if name.table else None), Scope()
            )
            return [part for part in node.iter_expressions() if part is not name]
        if isinstance(node, exp.Kwarg | exp.PropertyEQ):
            return [node.expression]
        if isinstance(node, exp.Anonymous) and node.name.casefold() in _UNITS:
            return node.expressions[1:]
        return list(node.iter_expressions())

    def _with_parameters(self, node: exp.Expr, scope: Scope) -> None:
        named = node.expressions if isinstance(node, exp.Lambda) else [node.expression]
        bound = {key_of(name, self.dialect): OPEN for name in named if isinstance(name, exp.Expr)}
        inner = Scope(scope, bound=bound)
        parts = [node.args.get(part) for part in ("this", "condition")]
        self.visit([part for part in parts if isinstance(part, exp.Expr)], inner)
        if isinstance(iterator := node.args.get("iterator"), exp.Expr):
            self.visit([iterator], scope)

    def _column(self, node: exp.Column, scope: Scope) -> None:
        self.meet(node)
        if isinstance(node.this, exp.Star):
            self.visit(list(node.this.iter_expressions()), scope)
            if not self.finder.has_star(node, scope):
                self.miss(node, scope, is_table=True)
        elif self.path(node, scope) is None:
            self.miss(node, scope)

    def _dotted(self, node: exp.Dot, scope: Scope) -> None:
        """Resolve `(expression).name` and, in DuckDB, `name.function()`."""
        base = node.this
        if isinstance(node.expression, exp.Func):
            self.visit(list(node.expression.iter_expressions()), scope)
            if isinstance(base, exp.Identifier | exp.Dot | exp.Column) and self.is_namespace(base, scope):
                self.meet(base)
                return
        self.meet(node.expression)
        if isinstance(base, exp.Identifier):
            self.meet(base)
        else:
            before = len(self.unknown)
            self.visit([base], scope)
            if len(self.unknown) > before:
                return
        if self.path(node, scope) is None:
            self.miss(node, scope)

    def is_namespace(self, base: exp.Expr, scope: Scope) -> bool:
        """Whether the name before a function is its schema, which the rule for calls has checked."""
        if self.dialect != "duckdb":
            return True
        return isinstance(base, exp.Identifier) and base.name.casefold() in ("main", "pg_catalog", "system")

    def path(self, node: exp.Expr, scope: Scope) -> Value | None:
        """The value that a dotted name means; None if there is none."""
        parts, base = _parts_of(node)
        value: Value | None
        if base is None:
            value, parts = self.finder.found(parts, scope)
        elif isinstance(base, exp.Func) and isinstance(base.parent, exp.Dot) and base.arg_key == "expression":
            return OPEN if self.dialect == "duckdb" else SCALAR
        else:
            value = value_of(base, scope, self)
        for part in parts:
            if value is None:
                return None
            value = self.field(value, part)
        return value

    def field(self, value: Value, part: exp.Expr) -> Value | None:
        """A field of a value, or of a function that PostgreSQL would call by this name."""
        if isinstance(part, exp.Star):
            return value if value.fields or (value.is_open and self.dialect == "duckdb") else None
        if isinstance(part, exp.Func):
            return OPEN
        if (found := value.fields.get(key_of(part, self.dialect))) is not None:
            return found
        if value.is_open and (self.dialect == "duckdb" or self.schema is None):
            if self.schema is None:
                self.doubt(part)
            return OPEN
        return SCALAR if self.may_call(part) else None

    def may_call(self, part: exp.Expr) -> bool:
        """Whether a name after a dot may be a function's, which only PostgreSQL would call."""
        name = key_of(part, self.dialect)
        is_listed = name in FUNCTIONS["postgres"] and name not in TELLS_TYPES
        return self.dialect == "postgres" and (is_listed or is_named(name, None, self.functions))

    # what was found

    def meet(self, node: exp.Expr) -> None:
        """Note that the names of a node were checked."""
        if self.dialect == "postgres":  # see `check_dots`
            self.seen.update(int(name.meta["start"]) for name in node.find_all(exp.Identifier) if "start" in name.meta)

    def miss(self, node: exp.Expr, scope: Scope, *, is_table: bool = False) -> None:
        """Note a name without a meaning."""
        if self.schema is None and isinstance(node, exp.Column | exp.Identifier) and not node.args.get("table"):
            self.doubt(node)  # without a dot nothing is called, so it is harmless
            return
        name = self._name([node], is_table, tables_of(scope))
        is_text = self.dialect == "sqlite" and self.sql[name.start : name.start + 1] == '"'
        if not (is_text and not is_table and isinstance(node, exp.Column) and not node.table):
            self.unknown.append(name)

    def doubt(self, *parts: exp.Expr, is_table: bool = False) -> None:
        """Note a name whose meaning only a schema can tell."""
        self.unsure.append(self._name(parts, is_table, ()))

    def _name(self, parts: Sequence[exp.Expr], is_table: bool, tables: tuple[Table, ...]) -> Name:
        own = [name for part in parts for name in _own_names(part) if "start" in name.meta]
        start = min((int(name.meta["start"]) for name in own), default=0)
        end = max((int(name.meta["end"]) for name in own), default=-1)
        text = self.sql[start : end + 1] or ".".join(part.sql(dialect=self.dialect) for part in parts)
        return Name(text, start, end, is_table, found=False, sources=tables)

    def check_dots(self, found: list[Token]) -> None:
        """Compare each name after a dot with the checked ones, since the parser may have lost one."""
        for before, token, after in zip(found, found[1:], [*found[2:], None], strict=False):
            is_called = after is not None and after.token_type == TokenType.L_PAREN
            if before.token_type != TokenType.DOT or token.token_type in _NO_NAMES or is_called:
                continue
            if token.start not in self.seen:
                text = self.sql[token.start : token.end + 1]
                self.unknown.append(Name(text, token.start, token.end, False, found=False))


def tables_of(scope: Scope | None) -> tuple[Table, ...]:
    """The tables in reach of a scope, the nearest first."""
    tables: list[Table] = []
    while scope is not None:
        tables += [source.table for source in scope.sources if source.table is not None]
        scope = scope.parent
    return tuple(tables)


def _own_names(node: exp.Expr) -> Iterator[exp.Expr]:
    """The identifiers of a dotted name, without those of the expression before the dot."""
    if isinstance(node, exp.Dot):
        yield from _own_names(node.expression)
        if isinstance(node.this, exp.Dot | exp.Column | exp.Identifier):
            yield from _own_names(node.this)
    elif isinstance(node, exp.Identifier):
        yield node
    elif isinstance(node, exp.Column | exp.Table):
        yield from (part for part in node.parts if isinstance(part, exp.Identifier))


def _parts_of(node: exp.Expr) -> tuple[list[exp.Expr], exp.Expr | None]:
    """The parts of a dotted name from the left, and the expression before them, if there is one."""
    after: list[exp.Expr] = []
    while isinstance(node, exp.Dot):
        after.insert(0, node.expression)
        node = node.this
    if isinstance(node, exp.Column):
        return [*node.parts, *after], None
    if isinstance(node, exp.Identifier):
        return [node, *after], None
    return after, node
