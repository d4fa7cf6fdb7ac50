"""Tables that inherit from others (PostgreSQL's INHERITS), and the columns and rows that are hidden with them."""

from collections.abc import Callable, Iterable, Iterator

from route_sql.tools.schema.records import Column, Schema, Table

Hides = Callable[[Table, Column], bool]
"""Whether a column of a table is hidden."""


class Heirs:
    """Inheritance among the tables of a schema, with some columns hidden by patterns.

    Hiding a table or a column covers those that inherit it. A table shows no row of a hidden heir, and no column that
    is hidden in an heir whose rows it shows.

    Args:
        schema: The whole schema.
        hides: Whether a pattern hides a column of a table.
    """

    def __init__(self, schema: Schema, hides: Hides) -> None:
        """Find the children of every table."""
        self._hides = hides
        every = (*schema, *schema.relatives)
        self._readable = {table.key for table in schema}
        self._by_key = {table.key: table for table in every}
        self._children: dict[str, list[Table]] = {}
        for table in every:
            for parent in table.inherits:
                self._children.setdefault(parent, []).append(table)

    def hides(self, table: Table, column: Column) -> bool:
        """Whether a column is hidden because it is hidden in an ancestor or an heir of its table."""
        above, below = self._ancestors(table), self._descendants(table)
        if any(self._is_hidden(other) for other in above):
            return True
        near = [*above, *(other for other in below if not self._is_covered(other))]
        return any(own is not None and self._hides(o, own) for o in near for own in [_exact(o, column.name)])

    def rows(self, table: Table) -> tuple[Table, ...]:
        """Tables whose rows a table shows, itself first; empty if it shows the rows of all its heirs.

        If an heir is hidden, only heirs that may be read by their names remain.
        """
        below = self._descendants(table)
        kept = [other for other in below if not self._is_covered(other)]
        if len(kept) == len(below):
            return ()
        return (table, *(other for other in kept if other.key in self._readable))

    def _is_covered(self, table: Table) -> bool:
        return self._is_hidden(table) or any(map(self._is_hidden, self._ancestors(table)))

    def _is_hidden(self, table: Table) -> bool:
        return all(self._hides(table, column) for column in table.columns)

    def _ancestors(self, table: Table) -> list[Table]:
        return list(_reached(table, lambda one: [self._by_key[k] for k in one.inherits if k in self._by_key]))

    def _descendants(self, table: Table) -> list[Table]:
        return list(_reached(table, lambda one: self._children.get(one.key, [])))


def _reached(table: Table, step: Callable[[Table], Iterable[Table]]) -> Iterator[Table]:
    """Tables that repeated steps reach, each once, without the first."""
    found = {table.key}
    waiting = [table]
    while waiting:
        for other in step(waiting.pop()):
            if other.key not in found:
                found.add(other.key)
                waiting.append(other)
                yield other


def _exact(table: Table, name: str) -> Column | None:
    return next((column for column in table.columns if column.name == name), None)
