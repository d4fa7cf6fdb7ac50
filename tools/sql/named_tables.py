"""The table of a schema that a name in a query means, by the engine's rule for upper and lower case.

PostgreSQL reads `Customer` as `customer` and `"Customer"` as it is written, and may have both.
"""

from sqlglot import exp

from route_sql.tools.schema.records import Schema, Table


def engine_name(name: exp.Expr | None, dialect: str) -> str:
    """A name as the engine reads it: PostgreSQL folds the letters of ASCII, and those of a bare name only."""
    if name is None:
        return ""
    if dialect != "postgres" or name.args.get("quoted"):
        return name.name
    return "".join(letter.lower() if letter.isascii() else letter for letter in name.name)


def named_table(node: exp.Table, schema: Schema, dialect: str, *, is_any_default: bool = False) -> Table | None:
    """The table that a name means; None if there is none, or if several differ from it in case only.

    A name that no table has exactly means the only one that differs in case, if there is such a table.

    Args:
        node: The name.
        schema: The tables that may be named.
        dialect: The sqlglot name of the dialect.
        is_any_default: Whether any namespace may be the name of the default one.
    """
    space, name = engine_name(node.args.get("db"), dialect), engine_name(node.this, dialect)
    if not space:
        return _matching(schema, [name], [name])
    exact = [name] if is_any_default or _is_default(space, schema, dialect) else []
    folded = [name] if is_any_default or space.casefold() in schema.default_names else []
    return _matching(schema, [f"{space}.{name}", *exact], [f"{space}.{name}", *folded])


def _is_default(space: str, schema: Schema, dialect: str) -> bool:
    """Whether a namespace is the default one, which the keys of tables leave out."""
    if dialect == "postgres":
        return space == schema.default if schema.default else space in schema.default_names
    return space.casefold() in schema.default_names


def _matching(schema: Schema, exact: list[str], folded: list[str]) -> Table | None:
    by_key = {table.key: table for table in schema.tables}
    if found := next((by_key[key] for key in exact if key in by_key), None):
        return found
    for key in folded:
        near = [table for table in schema.tables if table.key.casefold() == key.casefold()]
        if near:
            return near[0] if len(near) == 1 else None
    return None
