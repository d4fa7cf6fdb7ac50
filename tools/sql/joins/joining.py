"""Joins that a query lacks: what it takes from the wrong table is looked for along the schema's keys.

A small model often stops one table short: `SELECT T2.name FROM physician AS T1 JOIN trained_in AS T2 ...`, where the
name is in a table that `trained_in` refers to. The schema alone tells what is missing.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp

from route_sql.tools.schema.keys import Steps, key_steps
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.conditions import conjuncts, joins_columns
from route_sql.tools.sql.joins.idle_joins import JoinsBefore
from route_sql.tools.sql.joins.joined_tables import JoinedTables
from route_sql.tools.sql.parsing import Tree, parse_query
from route_sql.tools.sql.scopes import Resolver
from route_sql.tools.sql.usage import MOST_UNKNOWN, unknown_names

_Doubt = Callable[[JoinedTables, exp.EQ], bool]
"""Whether an equation of a join is to be mended."""


def with_missing_joins(sql: str, schema: Schema) -> str | None:
    """A query whose every column is found, by joins along the schema's keys; None if none lacks or there is no way.

    A column that its table lacks is taken from a table that is joined already, if just one of them has it and gives it
    to no other place, or from the nearest one along the keys, which is joined in. A join on a column that does not
    exist is made one on the keys between its tables. Where two tables are equally near, nothing is guessed; where two
    keys lead to one, the one named much like what was written is taken, or that to a primary key, or the first. A
    table that was joined to no purpose, as it then turns out, is left out. A column that several tables have gets the
    name of one, if the query says that it is equal in all of them.

    A hint, not a proof: the query runs where the first one did not, and may say something else.
    """
    tree = parse_query(sql, schema.dialect)
    unknown = _unknown_columns(tree, sql, schema) if tree is not None else []
    if tree is None or len(unknown) > MOST_UNKNOWN:
        return None
    steps = key_steps(schema)

    def mend() -> bool:
        named = [JoinedTables(select, schema, steps).name_shared() for select in tree.find_all(exp.Select)]
        return (any(named) or bool(unknown)) and _mend(tree, unknown, schema, steps)

    written = _mended(tree, schema, mend)
    return written if written and not unknown_names(written, schema) else None


def _mended(tree: Tree, schema: Schema, mend: Callable[[], bool]) -> str | None:
    """The query as it is after it was mended, without the joins that thereby became idle; None if it could not be."""
    before = [JoinsBefore(select, schema) for select in tree.find_all(exp.Select)]
    if not mend():
        return None
    for joins in before:
        joins.drop_idle()
    return tree.sql(dialect=schema.dialect)


def _mend(tree: Tree, unknown: Sequence[exp.Column], schema: Schema, steps: Steps) -> bool:
    selects: dict[int, JoinedTables] = {}
    for node in unknown:
        select = node.find_ancestor(exp.Select)
        if select is None or node.root() is not tree:
            continue  # its condition has been replaced
        if id(select) not in selects:
            selects[id(select)] = JoinedTables(select, schema, steps)
        if not selects[id(select)].mend(node):
            return False
    return True


def with_joins_on_keys(sql: str, schema: Schema) -> str | None:
    """A query whose joins are on keys, where keys lead from table to table; None if they are or there is no way.

    For a query that returns no row: the columns that it compares may have nothing to do with each other. Columns of one
    name, or that refer to the same table, count as keys.
    """
    return _rejoined(sql, schema, lambda tables, equation: not tables.on_key(equation), fanning=True)


def with_related_keys(sql: str, schema: Schema) -> str | None:
    """A query without the joins that `unrelated_keys` finds, put on keys where they lead; None if there are none.

    For a query that returns rows: numbers of different things are often equal by chance. Tables that have but a row in
    common to which both refer, such as a country, are not joined on it.
    """
    return _rejoined(sql, schema, JoinedTables.of_two_things, fanning=False)


def unrelated_keys(sql: str, schema: Schema) -> list[str]:
    """The equations of a query's joins that compare a key of one thing with a key of another, as they are written.

    None where no way leads along keys either: then it may be the schema that does not declare them all.
    """
    tree = parse_query(sql, schema.dialect)
    if tree is None or tree.find(exp.Join) is None or with_related_keys(sql, schema) is None:
        return []
    found = _equations(tree, schema, JoinedTables.of_two_things)
    return [equation.sql(dialect=schema.dialect) for _, _, equation in found]


def _rejoined(sql: str, schema: Schema, wrong: _Doubt, *, fanning: bool) -> str | None:
    tree = parse_query(sql, schema.dialect)
    if tree is None:
        return None

    def mend() -> bool:
        found = _equations(tree, schema, wrong)
        # A list: every equation is mended, not only the first.
        return any([tables.mend_join(join, equation, fanning=fanning) for tables, join, equation in found])

    return _mended(tree, schema, mend)


def _equations(tree: Tree, schema: Schema, wrong: _Doubt) -> Iterator[tuple[JoinedTables, exp.Join, exp.EQ]]:
    """The doubted equations of columns that joins are on; whoever takes one may change its join and add others."""
    steps = key_steps(schema)
    for select in [*tree.find_all(exp.Select)]:
        for join in [*(select.args.get("joins") or [])]:
            for equation in conjuncts(join.args.get("on")):
                tables = JoinedTables(select, schema, steps)
                if isinstance(equation, exp.EQ) and joins_columns(equation, join) and wrong(tables, equation):
                    yield tables, join, equation


def _unknown_columns(tree: Tree, sql: str, schema: Schema) -> list[exp.Column]:
    places = {name.start for name in Resolver(tree, sql, schema).names() if not name.found}
    return [node for node in tree.find_all(exp.Column) if node.parts[0].meta.get("start") in places]
