"""Views that read tables of which a part is hidden.

An engine may run the condition of a query before that of the view which it selects from. So a condition that fails for
some values (a cast, a division) can show values of rows that the view leaves out, in the engine's error.
"""

from collections.abc import Iterable, Set

from route_sql.tools.schema.records import Table


def views_of_the_rest(tables: Iterable[Table], whole: Set[str], known: Iterable[str]) -> set[str]:
    """The keys of the views that read more than wholly visible tables.

    Args:
        tables: The visible tables and views.
        whole: The keys of those whose columns and rows are all visible.
        known: The keys of all tables. A view may name a table in another case, if no other one has that name.
    """
    exact = {*known}
    folded = {key.casefold(): key for key in exact}
    views = {
        table.key: None if table.reads is None else {n if n in exact else folded.get(n.casefold()) for n in table.reads}
        for table in tables
        if table.is_view
    }
    safe = {*whole}
    unsafe: set[str] = set()
    while True:
        found = {key for key, reads in views.items() if reads is None or not reads <= safe}
        if found <= unsafe:
            return unsafe
        unsafe |= found
        safe -= found  # a view over such a view
