"""Views that read tables which are not wholly visible.

An engine may run the condition of a query before that of the view which it selects from. So a condition that fails for
some values (a cast, a division) tells of rows that the view leaves out, and the engine's message shows their values.
"""

from collections.abc import Iterable, Set

from route_sql.tools.schema.records import Table


def views_of_the_rest(tables: Iterable[Table], whole: Set[str]) -> set[str]:
    """The keys of the views that read anything but tables that are wholly visible.

    Args:
        tables: The visible tables and views.
        whole: The keys of those of which all columns and rows are visible.
    """
    views = {table.key: table.reads for table in tables if table.is_view}
    safe = {key.casefold() for key in whole}
    unsafe: set[str] = set()
    while True:
        found = {
            key for key, reads in views.items() if reads is None or any(name.casefold() not in safe for name in reads)
        }
        if found <= unsafe:
            return unsafe
        unsafe |= found
        safe -= {key.casefold() for key in found}  # a view over such a view
