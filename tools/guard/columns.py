"""`show_only`: a query rewritten so that it can't reach columns that its caller may not see.

Every name of a table is replaced by a query for the visible part of that table: `customer` becomes
`(SELECT "id", "name" FROM "customer") AS customer`. So a star shows visible columns, a natural join compares visible
columns, and the engine itself doesn't know any other column, in whatever clause and under whatever alias it is named.
Nothing else of the text changes, and nothing depends on hidden names: a hidden name and one that does not exist get
the same error.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from sqlglot import Token, TokenType, exp

from route_sql.tools.guard.declarations import declaration, same
from route_sql.tools.guard.extents import MOVED, extent_of, upper_words
from route_sql.tools.guard.refusal import Code, Refusal, place_of
from route_sql.tools.guard.tables import TABLE_REASON, is_dual, tables_after_in
from route_sql.tools.schema.quoting import table_expression
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.named_tables import named_table
from route_sql.tools.sql.parsing import Tree, shared_tree, tokens
from route_sql.tools.sql.table_queries import table_queries

_AHEAD = (
    "the common table expression {name} is used before it is declared, or by itself outside the right-hand side of its "
    "own UNION; declare it first, under another name than a table's"
)
_FENCES = {
    "sqlite": " LIMIT -1",
    "postgres": " OFFSET 0",
    "mysql": " LIMIT 18446744073709551615",
    "duckdb": " LIMIT 9223372036854775807",
}
"""Ends of a query that keep the engine from running conditions of the outer query inside it."""
_DEFAULTS = {"sqlite": "main", "duckdb": "main", "postgres": "public"}
"""Names of the default namespace, where the schema does not tell it."""
_CALLED = "the table {name} may not be called like a function; select from it"
_UNSURE = "it is not clear which columns {name} stands for; name the tables and their columns plainly"


class _TextEdit(NamedTuple):
    """A text that replaces the characters from `start` to `end` (exclusive)."""

    start: int
    end: int
    text: str


def show_only(
    sql: str,
    visible: Schema,
    partial: Collection[str],
    dialect: str,
    rows: Mapping[str, Sequence[Table]] = MappingProxyType({}),
) -> str | Refusal:
    """The query that may run: it reaches only the visible tables and columns.

    Args:
        sql: A query that `check_sql` lets pass.
        visible: The tables and columns that may be seen.
        partial: The keys of those tables that have further columns or rows.
        dialect: The sqlglot name of the dialect.
        rows: The tables with hidden heirs, each with the tables whose rows it shows.

    Returns:
        The query, or why it may not run: `table` for a name that is not a visible table's, `column` for a query
        whose columns are not certain.
    """
    found = tokens(sql, dialect) or []
    end = next((token.start for token in found if token.token_type == TokenType.SEMICOLON), len(sql))
    tree = shared_tree(sql[:end], dialect)
    if tree is None:
        return Refusal("column", "text", _UNSURE.format(name="the text"))
    edits = _Narrowing(sql, tree, found, visible, frozenset(partial), dialect, rows).edits()
    return edits if isinstance(edits, Refusal) else _edited(sql, edits)


def _edited(sql: str, edits: list[_TextEdit]) -> str:
    pieces, end = [], 0
    for edit in sorted(edits):
        pieces += [sql[end : edit.start], edit.text]
        end = max(end, edit.end)
    return "".join([*pieces, sql[end:]])


@lru_cache(maxsize=256)
def _listed(columns: tuple[str, ...], dialect: str) -> str:
    """The list of columns of a query; a text may name a wide table thousands of times."""
    return ", ".join(exp.to_identifier(column, quoted=True).sql(dialect=dialect) for column in columns)


@dataclass(frozen=True)
class _Narrowing:
    sql: str
    tree: Tree
    found: list[Token]
    visible: Schema
    partial: frozenset[str]
    dialect: str
    rows: Mapping[str, Sequence[Table]]

    def edits(self) -> list[_TextEdit] | Refusal:
        edits: list[_TextEdit] = []
        renamed: set[str] = set()
        for name, is_source in self._names():
            edit = self._narrowed(name, is_source)
            if isinstance(edit, Refusal):
                return edit
            if edit:
                edits.extend(edit)
                renamed.add(name.name.casefold())
        return [*edits, *self._unqualified(renamed), *self._table_queries()]

    def _names(self) -> Iterator[tuple[exp.Table, bool]]:
        """The names of tables, and whether each is in a FROM clause: SQLite takes `x IN name` for one too."""
        for table in self.tree.find_all(exp.Table):
            if table.arg_key != "indexed":  # the name of an index
                yield table, True
        yield from ((table, False) for table in tables_after_in(list(self.tree.walk()), self.dialect))

    def _narrowed(self, name: exp.Table, is_source: bool) -> list[_TextEdit] | Refusal | None:
        if isinstance(name.this, exp.Func):
            return self._called(name)
        if name.args.get("rows_from"):
            return None  # PostgreSQL's ROWS FROM names functions only
        if not isinstance(name.this, exp.Identifier):
            return self._refusal("column", name, _UNSURE)
        if is_dual(name, self.dialect):
            return None
        local = declaration(name, self.dialect)
        if local is not None:
            return None if local else self._refusal("column", name, _AHEAD)
        table = self._table(name)
        return self._refusal("table", name, TABLE_REASON) if table is None else self._replaced(name, table, is_source)

    def _replaced(self, name: exp.Table, table: Table, is_source: bool) -> list[_TextEdit] | Refusal | None:
        starts, ends = ([part.meta.get(key) for part in name.parts] for key in ("start", "end"))
        if None in (*starts, *ends):
            # A string after SQLite's IN, of which the parser keeps no place.
            is_whole = not is_source and table.key not in self.partial
            return None if is_whole else self._refusal("column", name, _UNSURE)
        start, own, end = int(starts[0] or 0), int(starts[-1] or 0), int(ends[-1] or 0) + 1
        source = self._source(name, table, self.sql[start:end])
        alias = f" AS {self._alias(own, end)}" if is_source and not name.alias else ""
        if table.key not in self.partial:
            return [_TextEdit(start, end, source + alias)] if source != self.sql[start:end] else None
        moved = [part for part in (name.args.get(key) for key in MOVED) if isinstance(part, exp.Expr)]
        if any(part.find(exp.Table) for part in moved):
            return self._refusal("column", name, _UNSURE)  # it is moved as written, with the hidden columns
        extent = extent_of(self.sql, self.found, self._words, name, (start, end), self.dialect)
        if extent is None:
            return self._refusal("column", name, _UNSURE)
        fence = _FENCES.get(self.dialect, "") if table.is_view or self._searches else ""
        text = f"({self._visible_part(table, source, extent.only, extent.options)}{fence})"
        return [_TextEdit(extent.start, extent.end, text + alias), *(_TextEdit(*span, "") for span in extent.spans)]

    @cached_property
    def _words(self) -> list[str]:
        return upper_words(self.sql, self.found)

    @cached_property
    def _searches(self) -> bool:
        """Whether a full-text search of SQLite could reach hidden columns of a table: `title MATCH 'email:x'`."""
        patterns = [node.expression for node in self.tree.find_all(exp.Match)] if self.dialect == "sqlite" else []
        calls = [node for node in self.tree.find_all(exp.Anonymous) if node.name.casefold() == "match"]
        is_plain = all(isinstance(text, exp.Literal) and ":" not in text.name for text in patterns)
        return self.dialect == "sqlite" and bool(calls or not is_plain)

    def _alias(self, start: int, end: int) -> str:
        """A table's name as the alias of its replacement: as written, since engines fold names without quotes."""
        written = self.sql[start:end]
        is_string = written.startswith("'")
        return exp.to_identifier(written[1:-1], quoted=True).sql(dialect=self.dialect) if is_string else written

    def _source(self, name: exp.Table, table: Table, written: str) -> str:
        """A table's name: as written, where that means this table only."""
        is_exact = same(name.this, exp.to_identifier(table.name, quoted=True), self.dialect)
        if is_exact and not name.db and not table.namespace:
            return written
        # With its namespace, a name can't mean a common table expression.
        unknown = _DEFAULTS.get(self.dialect) if name.db else None
        place = table.namespace or self.visible.default or unknown
        return table_expression(replace(table, namespace=place)).sql(dialect=self.dialect)

    def _visible_part(self, table: Table, source: str, only: str, options: str) -> str:
        """The query to select from in the place of a table."""
        columns = _listed(tuple(column.name for column in table.columns), self.dialect)
        heirs = self.rows.get(table.key, ()) if not only else ()
        names = [f"ONLY {table_expression(one).sql(dialect=self.dialect)}" for one in heirs] or [f"{only}{source}"]
        return " UNION ALL ".join(f"SELECT {columns} FROM {name}{options}" for name in names)

    def _table(self, name: exp.Table) -> Table | None:
        return None if name.catalog else named_table(name, self.visible, self.dialect)

    def _table_queries(self) -> Iterator[_TextEdit]:
        """`TABLE name` written out, since a query in brackets may take the name's place."""
        for at in table_queries(self.found, self.dialect):
            yield _TextEdit(self.found[at].start, self.found[at].end + 1, "SELECT * FROM")

    def _called(self, name: exp.Table) -> Refusal | None:
        """SQLite's virtual tables may be called, with their columns as arguments."""
        called = name.this.name if isinstance(name.this, exp.Anonymous) else ""
        table = self.visible.table(called)
        is_partial = table is not None and table.key in self.partial
        return self._refusal("column", exp.Table(this=exp.to_identifier(called)), _CALLED) if is_partial else None

    def _unqualified(self, renamed: set[str]) -> Iterator[_TextEdit]:
        """Columns with a namespace before their table's name, which is an alias now."""
        for column in self.tree.find_all(exp.Column):
            first, table = column.args.get("catalog") or column.args.get("db"), column.args.get("table")
            if first is not None and table is not None and table.name.casefold() in renamed:
                start, end = first.meta.get("start"), table.meta.get("start")
                if start is not None and end is not None:
                    yield _TextEdit(int(start), int(end), "")

    def _refusal(self, code: Code, name: exp.Table, reason: str) -> Refusal:
        written = ".".join(part.name for part in name.parts)
        start = name.parts[0].meta.get("start") if name.parts else None
        return Refusal(code, written, reason.format(name=written), place_of(self.sql, start))
