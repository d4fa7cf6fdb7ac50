"""Schema links: their union, and the set of their names, by which they are compared."""

from route_sql.tools.schema.records import Link


def union(link: Link, other: Link) -> Link:
    """The tables and columns of either link (ROUTE, section 3.3)."""
    return {key: [*dict.fromkeys([*link.get(key, []), *other.get(key, [])])] for key in {**link, **other}}


def link_names(link: Link) -> set[tuple[str, str]]:
    """Case-folded names of a link: (table, column) for each column, (table, "") for each table."""
    columns = {(table.casefold(), name.casefold()) for table, names in link.items() for name in names}
    return columns | {(table.casefold(), "") for table in link}
