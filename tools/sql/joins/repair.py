"""Repair of the joins of a query along the keys of its schema; asks no model.

A small model often stops one table short, or joins tables on the wrong columns. The schema alone shows both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from route_sql.tools.schema.keys import JoinGraph, join_graph
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.compared_keys import (
    compares_equivalent_keys,
    compares_unrelated_ids,
    follows_unknown_key,
    keeps_unmatched_rows,
)
from route_sql.tools.sql.joins.conditions import conjuncts, is_join_condition
from route_sql.tools.sql.joins.from_clause import FromClause
from route_sql.tools.sql.joins.select_repair import SelectRepair
from route_sql.tools.sql.joins.unused_joins import UnusedJoins
from route_sql.tools.sql.parsing import Tree, is_printable, parse_query, shared_tree
from route_sql.tools.sql.scopes import Resolver
from route_sql.tools.sql.usage import MOST_UNKNOWN, unknown_names

ACCIDENTAL = "The query runs, but {} compares keys of different things."
"""Complaint about the first accidental join."""

_Doubt = Callable[[exp.EQ, FromClause, JoinGraph], bool]
"""Whether an equation of a join must be replaced."""


@dataclass(frozen=True)
class JoinRepair:
    """Repair of the joins of one query.

    `complaint` is the reason to doubt a query that returns rows. It is None without an accidental join, and for every
    other outcome, since its error or its empty result is the reason. `sql` is the repaired query; None if its joins
    need no repair or no repair is known.
    """

    complaint: str | None = None
    sql: str | None = None


def repair_joins(sql: str, schema: Schema, status: str) -> JoinRepair:
    """Repair the joins of a query by the repair that fits its outcome.

    Args:
        sql: Any text.
        schema: The whole schema, in the dialect of the query.
        status: Status of the outcome. `ok` replaces accidental joins, `empty` rejoins on keys, `error` adds missing
            joins; any other status repairs nothing.
    """
    if status == "ok":
        accidental, repaired = _without_accidental_joins(sql, schema)
        return JoinRepair(ACCIDENTAL.format(accidental[0]) if accidental else None, repaired)
    if status == "empty":
        return JoinRepair(sql=rejoin_on_keys(sql, schema))
    return JoinRepair(sql=add_missing_joins(sql, schema) if status == "error" else None)


def add_missing_joins(sql: str, schema: Schema) -> str | None:
    """Add the joins that a query with unknown columns lacks; None if no column is unknown or one can't be found.

    Before: SELECT T1.due, T1.title FROM loan AS T1
    After:  SELECT T1.due, T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id

    An unknown column is taken from a joined table that has it, if there is just one from which the query does not
    already take that column. Otherwise the nearest table along the keys is joined. A join on an unknown column is put
    on a key between its tables. Where two tables are equally near, nothing is guessed. Where several keys lead to one
    table, a corrected join takes the one most similar to the columns that it compares, an added join one to a primary
    key; among equals the first counts. A join that becomes unused is dropped. An ambiguous column is qualified if the
    query requires that it is equal in all its tables.

    A hint, not a proof: the new query runs where the old one failed, but may mean something else.
    """
    tree = parse_query(sql, schema.dialect)
    unknown = _unknown_columns(tree, sql, schema) if tree is not None else []
    if tree is None or len(unknown) > MOST_UNKNOWN or not is_printable(sql, schema.dialect):
        return None
    graph = join_graph(schema)

    def repair() -> bool:
        qualified = [FromClause(select, schema).qualify_shared_columns() for select in tree.find_all(exp.Select)]
        return (any(qualified) or bool(unknown)) and _repair_columns(tree, unknown, schema, graph)

    repaired = _repaired(tree, schema, repair)
    return repaired if repaired and not unknown_names(repaired, schema) else None


def rejoin_on_keys(sql: str, schema: Schema) -> str | None:
    """Put the joins of a query that returns no row on keys; None if they are, or if no path of keys is known.

    Before: SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.due
    After:  SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id

    Columns of one name, and columns that refer to the same table, count as keys already, and so does an id of which no
    key is known, such as `winner_id`, that is compared with a primary key. A query that keeps the rows
    for which a LEFT JOIN finds none is left alone: that there are none may be its answer.
    """
    return _rejoin(sql, schema, _compares_different_keys, through_parents=True)[1]


def replace_accidental_joins(sql: str, schema: Schema) -> str | None:
    """Replace the accidental joins of a query that returns rows by joins on keys; None if there are none.

    Before: SELECT T1.name FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id
    After:  SELECT T1.name FROM reader AS T1 JOIN loan AS T3 ON T1.reader_id = T3.reader_id
            JOIN book AS T2 ON T3.book_id = T2.book_id

    Ids of different tables are often equal by chance. Tables are not joined through a row that both refer to, such as
    their country.
    """
    return _without_accidental_joins(sql, schema)[1]


def accidental_joins(sql: str, schema: Schema) -> list[str]:
    """Equations in the joins of a query that compare ids of different tables, such as `reader_id = book_id`.

    Empty if no path of keys replaces any of them: then the schema may not declare all its keys.
    """
    return _without_accidental_joins(sql, schema)[0]


def _without_accidental_joins(sql: str, schema: Schema) -> tuple[list[str], str | None]:
    return _rejoin(sql, schema, compares_unrelated_ids, through_parents=False)


def _compares_different_keys(equation: exp.EQ, from_clause: FromClause, graph: JoinGraph) -> bool:
    if keeps_unmatched_rows(from_clause) or follows_unknown_key(equation, from_clause, graph):
        return False
    return not compares_equivalent_keys(equation, from_clause, graph)


def _rejoin(sql: str, schema: Schema, doubt: _Doubt, *, through_parents: bool) -> tuple[list[str], str | None]:
    """Doubted equations as the query writes them, and the query with keys instead; ([], None) without a repair."""
    shared = shared_tree(sql, schema.dialect)
    if shared is None or shared.find(exp.Join) is None:
        return [], None
    tree = shared.copy()
    graph = join_graph(schema)
    doubted = [equation.sql(dialect=schema.dialect) for _, _, equation in _doubted(tree, schema, graph, doubt)]

    def repair() -> bool:
        found = _doubted(tree, schema, graph, doubt)
        # A list, not a generator: every equation is replaced, not only the first.
        return any([each.repair_join(join, on, through_parents=through_parents) for each, join, on in found])

    repaired = _repaired(tree, schema, repair) if doubted and is_printable(sql, schema.dialect) else None
    return (doubted, repaired) if repaired else ([], None)


def _repaired(tree: Tree, schema: Schema, repair: Callable[[], bool]) -> str | None:
    """SQL of a tree after a repair, without the joins that became unused; None if the repair failed."""
    before = [UnusedJoins(select, schema) for select in tree.find_all(exp.Select)]
    if not repair():
        return None
    for unused in before:
        unused.drop()
    return tree.sql(dialect=schema.dialect)


def _repair_columns(tree: Tree, unknown: Sequence[exp.Column], schema: Schema, graph: JoinGraph) -> bool:
    # Made before the first repair: the tables that it joins are none that a subquery was written for.
    selects = {id(select): select for node in unknown if (select := node.find_ancestor(exp.Select))}
    repairs = {key: SelectRepair(select, schema, graph) for key, select in selects.items()}
    for node in unknown:
        select = node.find_ancestor(exp.Select)
        if select is None or node.root() is not tree:
            continue  # its condition has been replaced
        if not repairs[id(select)].repair_column(node):
            return False
    return True


def _doubted(
    tree: Tree, schema: Schema, graph: JoinGraph, doubt: _Doubt
) -> Iterator[tuple[SelectRepair, exp.Join, exp.EQ]]:
    """Doubted equations of joins; the caller may replace each and add joins before it takes the next."""
    for select in [*tree.find_all(exp.Select)]:
        for join in [*(select.args.get("joins") or [])]:
            for equation in conjuncts(join.args.get("on")):
                repair = SelectRepair(select, schema, graph)
                if not isinstance(equation, exp.EQ) or not is_join_condition(equation, join):
                    continue
                if doubt(equation, repair.from_clause, graph):
                    yield repair, join, equation


def _unknown_columns(tree: Tree, sql: str, schema: Schema) -> list[exp.Column]:
    starts = {name.start for name in Resolver(tree, sql, schema).names() if not name.found}
    return [node for node in tree.find_all(exp.Column) if node.parts[0].meta.get("start") in starts]
