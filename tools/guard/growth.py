"""The size of a query after an engine has written out its common tables.

SQLite copies a common table for each place that names it while it compiles the query, which nothing can interrupt. A
chain in which each names the one before twice doubles with every link: thirty short lines are a billion tables.
"""

from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from sqlglot import exp

from route_sql.tools.guard.nodes import QueryNodes, of_kind

MOST_TABLES = 10_000
"""SQLite compiles this number in about a tenth of a second; people's queries have some tens."""


def grows_too_far(nodes: QueryNodes) -> bool:
    """Whether a query names more than `MOST_TABLES` tables once its common tables are written out."""
    tree, commons = nodes[0], {id(common): common for common in of_kind(nodes, exp.CTE)}
    if not commons:
        return False
    scopes = _scopes(commons.values())
    named = {key: _named(common.this, scopes) for key, common in commons.items()}
    needs = {key: {other for other in names if other not in (None, key)} for key, names in named.items()}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return False  # engines call it an error
    sizes: dict[int | None, int] = {}
    for key in order:
        # Any other table counts as one, and so does a recursive table inside itself.
        sizes[key] = max(1, min(_total(named[key], sizes), MOST_TABLES + 1))
    return _total(_named(tree, scopes), sizes) > MOST_TABLES


def _total(named: Counter[int | None], sizes: dict[int | None, int]) -> int:
    return sum(count * sizes.get(key, 1) for key, count in named.items())


def _scopes(commons: Iterable[exp.CTE]) -> dict[int, dict[str, int]]:
    """The common tables that each query with a WITH clause defines, by name; both nodes by their ids."""
    scopes: dict[int, dict[str, int]] = {}
    for common in commons:
        clause = common.parent
        if clause is not None and clause.parent is not None:
            scopes.setdefault(id(clause.parent), {})[common.alias.casefold()] = id(common)
    return scopes


def _named(tree: exp.Expr, scopes: dict[int, dict[str, int]]) -> Counter[int | None]:
    """Number of times that each common table is named; None stands for all other tables."""
    return Counter(_meant(table, scopes) for table in tree.find_all(exp.Table))


def _meant(table: exp.Table, scopes: dict[int, dict[str, int]]) -> int | None:
    """The common table that a name means: that of the nearest query around it which defines one."""
    name = table.name.casefold()
    node = None if table.db else table.parent
    while node is not None:
        if (key := scopes.get(id(node), {}).get(name)) is not None:
            return key
        node = node.parent
    return None
