"""Finding names among the entries of FROM clauses: columns, whole rows, stars and words that are functions."""

from collections.abc import Iterator
from functools import partial

from sqlglot import exp

from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.guard.functions.without_brackets import WORDS, WORDS_WITHOUT_COLUMN
from route_sql.tools.guard.names.inference import value_of
from route_sql.tools.guard.names.resolver import NameResolver
from route_sql.tools.guard.names.sources import UNKNOWABLE, UNTOLD, FromEntry, Output, Scope
from route_sql.tools.guard.names.values import OPEN, SCALAR, Value, fold, key_of

_WHOLE_ROWS = frozenset({"postgres", "duckdb"})


class Finder:
    """Finds the names of one statement."""

    def __init__(self, names: NameResolver) -> None:
        """The entries are those of the scopes that it is called with."""
        self._names = names
        self._dialect = names.dialect

    def found(self, parts: list[exp.Expr], scope: Scope | None) -> tuple[Value | None, list[exp.Expr]]:
        """The value of the longest beginning of a dotted name, and the parts after it; None if there is none."""
        level, is_unsure = scope, False
        while level is not None:
            self._names.budget.spend(1 + len(level.sources))
            if key_of(parts[0], self._dialect) in level.bound:
                return OPEN, parts[1:]
            for source, rest in self._sources(parts, level):
                value, after = self._of_source(source, rest, parts)
                if value is not None:
                    return value, after
            value = self._bare(parts[0], level) if len(parts) == 1 or self._dialect == "duckdb" else None
            if value is not None:
                return value, parts[1:]
            if any(source.is_open for source in level.sources) and (len(parts) == 1 or self._dialect == "duckdb"):
                is_unsure = True
                if any(source.needs_schema for source in level.sources):
                    self._names.doubt(*parts)
            level = level.parent
        return (OPEN, []) if is_unsure else self._word(parts)

    def _sources(self, parts: list[exp.Expr], level: Scope) -> Iterator[tuple[FromEntry, list[exp.Expr]]]:
        """The entries that the beginning of a dotted name means, and the parts after it."""
        keys = [key_of(part, self._dialect) for part in parts]
        for source in level.sources:
            for place in range(min(len(parts) - 1, 3)):
                is_own = place == 0 or keys[place - 1] in source.qualifiers or "*" in source.qualifiers
                if source.key is not None and keys[place] == source.key and is_own:
                    yield source, parts[place + 1 :]

    def _of_source(
        self, source: FromEntry, rest: list[exp.Expr], parts: list[exp.Expr]
    ) -> tuple[Value | None, list[exp.Expr]]:
        if isinstance(rest[0], exp.Func):
            return source.as_row(), rest
        if isinstance(rest[0], exp.Star):
            return source.as_row(), rest[1:]
        key = key_of(rest[0], self._dialect)
        if source.has(key):
            return source.column(key), rest[1:]
        if source.needs_schema:
            self._names.doubt(*parts)
            return OPEN, []
        if source.is_open:
            return OPEN, rest[1:]
        if self._names.may_call(rest[0]) or (source.has_unnamed and self._is_engines_own(rest[0])):
            return SCALAR, rest[1:]
        return None, rest

    def _bare(self, name: exp.Expr, level: Scope) -> Value | None:
        key = key_of(name, self._dialect)
        for source in level.sources:
            if source.has(key):
                return source.column(key)
        if level.shows_aliases and key in level.aliases:
            return level.aliases[key]
        for source in level.sources:
            if source.has_unnamed and self._is_engines_own(name):
                return SCALAR
            if source.key == key and self._dialect in _WHOLE_ROWS:
                return source.as_row()
        return None

    def _is_engines_own(self, name: exp.Expr) -> bool:
        """Whether the engine could have given this name to a column without one, such as `count(*)` or `max`."""
        key = key_of(name, self._dialect)
        is_word = key.replace("_", "a").isalnum()
        return key in FUNCTIONS[self._dialect] or key in ("case", "exists", "array", "row") or not is_word

    def _word(self, parts: list[exp.Expr]) -> tuple[Value | None, list[exp.Expr]]:
        """A function that is written without brackets, where the engine takes no column for it."""
        name = parts[0]
        words = WORDS_WITHOUT_COLUMN.get(self._dialect, frozenset()) | WORDS.get(self._dialect, frozenset())
        if len(parts) > 1 or name.args.get("quoted") or fold(name.name) not in words:
            return None, parts
        if fold(name.name) not in FUNCTIONS[self._dialect]:
            self._names.called.append(name)
        return SCALAR, []

    # stars

    def starred(self, node: exp.Expr, scope: Scope) -> Iterator[Output]:
        """The columns that a star stands for."""
        if isinstance(node, exp.Dot):
            value = self._names.path(node, scope) or SCALAR
            self._names.budget.spend(len(value.fields))
            yield from (Output.plain(key, part) for key, part in value.fields.items())
            return
        star = node if isinstance(node, exp.Star) else node.this
        sources = scope.sources if isinstance(node, exp.Star) else self._star_sources(node, scope)
        dropped = {key_of(_bare_name(name), self._dialect) for name in star.args.get("except_") or []}
        for source in sources:
            self._names.budget.spend(len(source.outputs))
            yield from (output for output in source.outputs if output.key is None or output.key not in dropped)
        for change in [*(star.args.get("replace") or []), *(star.args.get("rename") or [])]:
            alias = change.args.get("alias")
            if isinstance(alias, exp.Expr):
                yield Output(key_of(alias, self._dialect), partial(value_of, change.this, scope, self._names))
        if any(source.is_open for source in sources):
            yield Output.plain(UNTOLD if any(source.needs_schema for source in sources) else UNKNOWABLE, OPEN)

    def has_star(self, node: exp.Column, scope: Scope) -> bool:
        """Whether `name.*` means something."""
        if any(self._star_sources(node, level) for level in _levels(scope)):
            return True
        parts = list(node.parts[:-1])
        value = self.found(parts, scope)[0] if self._dialect == "duckdb" else None
        return value is not None and bool(value.fields or value.is_open)

    def _star_sources(self, node: exp.Expr, scope: Scope) -> list[FromEntry]:
        assert isinstance(node, exp.Column)
        found = [source for source, rest in self._sources(list(node.parts), scope) if len(rest) == 1]
        if found or self._dialect != "duckdb":
            return found
        value, rest = self.found(list(node.parts[:-1]), scope)
        for part in rest if value is not None else []:
            value = self._names.field(value, part) if value is not None else None
        if value is None or not value.fields:
            return []
        self._names.budget.spend(len(value.fields))
        return [FromEntry(None, [Output.plain(key, part) for key, part in value.fields.items()])]


def _levels(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.parent


def _bare_name(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Column) else node
