"""Views that read tables of which a part is hidden.

An engine may run the condition of a query before that of the view which it selects from. So a condition that fails for
some values (a cast, a division) can show values of rows that the view leaves out, in the engine's error.
"""

from collections.abc import Callable, Iterable, Set

from route_sql.tools.schema.records import Table


def views_of_the_rest(tables: Iterable[Table], whole: Set[str], find: Callable[[str], str | None]) -> set[str]:
    """The keys of the views that read more than wholly visible tables.

    Args:
        tables: The visible tables and views.
        whole: The keys of those whose columns and rows are all visible.
        find: The key of the table that a view names; None if it is unclear which one that is.
    """
    views = {table.key: None if table.reads is None else {*map(find, table.reads)} for table in tables if table.is_view}
    safe = {*whole}
    unsafe: set[str] = set()
    while True:
        found = {key for key, reads in views.items() if reads is None or not reads <= safe}
        if found <= unsafe:
            return unsafe
        unsafe |= found
        safe -= found  # a view over such a view
