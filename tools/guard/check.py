"""`check_sql`: may this text run?"""

from dataclasses import replace
from itertools import pairwise

from sqlglot import Token, TokenType, exp

from route_sql.tools.guard.calls import forbidden_call, is_named
from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.guard.growth import MOST_TABLES, grows_too_far
from route_sql.tools.guard.lexing import disagreement
from route_sql.tools.guard.names.budget import TooManySteps
from route_sql.tools.guard.names.resolution import RESOLVED, unresolved
from route_sql.tools.guard.nodes import is_allowed, reason, title
from route_sql.tools.guard.refusal import DEFAULT_POLICY, Code, Policy, Refusal, UnknownDialect, place_of
from route_sql.tools.guard.tables import TABLE_REASON, forbidden_table, own_tables, unclear_after_in
from route_sql.tools.guard.types import forbidden_type
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import NOT_A_QUERY, TOO_DEEP, Tree, broken_at, parses, shared_tree, tokens, written
from route_sql.tools.sql.scopes import Name
from route_sql.tools.sql.statements import kind_of_statement, statement_count
from route_sql.tools.sql.table_queries import table_queries
from route_sql.tools.sql.usage import unknown_name

DIALECTS = tuple(FUNCTIONS)
MOST_CHARACTERS = 100_000
_OPERANDS = {TokenType.STRING, TokenType.IDENTIFIER, TokenType.VAR, TokenType.SELECT, TokenType.TABLE, TokenType.ALL}
_ONE_SELECT = "only one SELECT statement may run; this "
_AFTER_IN = "what follows IN can be read in two ways; write a list or a query in brackets"
_COLUMNS_UNKNOWN = (
    "If it is an output column of {name}: those are not known here; name them all behind the function in FROM, "
    "such as FROM {name}(...) AS f(a, b)."
)
_TABLE_REASONS: dict[Code, str] = {
    "system_catalog": "it needs {name}, which may not be read; the tables of the schema may",
    "file": "{name} is not a table of the schema and may be a file, which may not be read; use a table of the schema",
    "table": TABLE_REASON,
}


def check_sql(sql: str, schema: Schema | None, dialect: str, policy: Policy = DEFAULT_POLICY) -> Refusal | None:
    """The refusal of a text; None if it is one query made only of names and clauses on the lists.

    It reads the text alone: the engine bounds the time of a query and the size of its result. Every name must mean
    something; without a schema, only names that no schema could have are refused. No text makes it raise.

    Args:
        sql: The text, from a model or anybody.
        schema: The database's tables, if they are known. A name that is one of them may be used even if it looks like
            something else, such as a table called `report.csv` in DuckDB.
        dialect: `sqlite`, `postgres`, `mysql` (MariaDB too), `duckdb`, or `tsql`, of which little is allowed.
        policy: Names allowed beyond the lists, or forbidden within them.

    Raises:
        UnknownDialect: there are no lists for the dialect.
    """
    if dialect not in FUNCTIONS:
        raise UnknownDialect(f"the guard knows no dialect {dialect!r}; it knows {', '.join(DIALECTS)}")
    if len(sql) > MOST_CHARACTERS:
        return Refusal("too_large", "text", f"the text is longer than {MOST_CHARACTERS:,} characters; shorten it")
    found = tokens(sql, dialect)
    if found is None:
        return _unparsable(sql, dialect)
    if kind := kind_of_statement(sql, found):
        # First of all: sqlglot reads the rest of a statement that it doesn't know as one string.
        return Refusal("statement", kind, f"{_ONE_SELECT}one is {kind}", place_of(sql, found[0].start))
    if (at := disagreement(sql, found, dialect)) is not None:
        return _ambiguous(sql, at)
    try:
        return _statements(sql, found, dialect) or _query(sql, found, schema, dialect, policy)
    except (RecursionError, TooManySteps):  # some rules recurse deeper than the parser
        return Refusal("too_large", "text", f"it can't be read as SQL: {TOO_DEEP}")
    except (AttributeError, LookupError, TypeError, ValueError):  # a tree in a form that a rule doesn't know
        return Refusal(
            "unparsable", "text", "it can't be read as SQL: its form is not known; write it in a plainer way"
        )


def _statements(sql: str, found: list[Token], dialect: str) -> Refusal | None:
    if (count := statement_count(found)) == 0:
        return Refusal("unparsable", "text", "the text holds no statement")
    if count > 1:
        second = next(token for token in found if token.token_type == TokenType.SEMICOLON)
        message = f"{_ONE_SELECT}text holds {count} statements"
        return Refusal("several_statements", ";", message, place_of(sql, second.start))
    if (verb := _nested_statement(sql, found, dialect)) is not None:
        word = written(sql, verb).upper()
        return Refusal("statement", word, f"{_ONE_SELECT}one does {word}", place_of(sql, verb.start))
    into = next((token for token, after in pairwise([*found, found[-1]]) if _writes(sql, token, after, found)), None)
    if into is not None:
        # Reserved in every engine, but sqlglot reads it as a name in some places.
        return Refusal("clause", "INTO", reason(exp.Into()), place_of(sql, into.start))
    return None


def _writes(sql: str, token: Token, after: Token, found: list[Token]) -> bool:
    """Whether a word is INTO, but for that of `UNPIVOT t ON a, b INTO NAME x VALUE y`, which names columns."""
    if token.token_type != TokenType.INTO:
        return False
    has_pivot = any(before.token_type == TokenType.UNPIVOT and before.start < token.start for before in found)
    return not (has_pivot and written(sql, after).upper() == "NAME")


def _nested_statement(sql: str, found: list[Token], dialect: str) -> Token | None:
    """The first word of another statement in brackets, such as DuckDB's `FROM (SUMMARIZE 'file')`.

    sqlglot takes it for a table or a column with an alias.
    """
    queries = table_queries(found, dialect)
    for at, token in enumerate(found[1:], 1):
        if token.token_type == TokenType.TABLE and at not in queries:
            return token
    for before, token, after in zip(found, found[1:], found[2:], strict=False):
        if before.token_type == TokenType.L_PAREN and after.token_type in _OPERANDS and kind_of_statement(sql, [token]):
            return token
    return None


def _query(sql: str, found: list[Token], schema: Schema | None, dialect: str, policy: Policy) -> Refusal | None:
    # sqlglot counts a comment after the last semicolon as a statement.
    end = next((token.start for token in found if token.token_type == TokenType.SEMICOLON), len(sql))
    tree = shared_tree(sql[:end], dialect)
    if tree is None:
        return _other_statement(sql[:end], found, dialect) or _unparsable(sql[:end], dialect)
    nodes = list(tree.walk())
    for node in nodes:
        if not is_allowed(node, dialect):
            return Refusal("clause", title(node), reason(node), place_of(sql, _start(node)))
    if grows_too_far(nodes):
        message = f"written out, its WITH clause names more than {MOST_TABLES:,} tables; name its parts less often"
        return Refusal("too_large", "WITH", message)
    if unclear := unclear_after_in(nodes, dialect):
        return Refusal("ambiguous_text", "IN", _AFTER_IN, place_of(sql, _start(unclear)))
    if call := forbidden_call(sql, found, nodes, dialect, policy, own_tables(schema, dialect)):
        return _call(sql, call.name, call.start)
    if wrong := forbidden_type(sql, found, nodes, schema, dialect):
        name, start = wrong
        message = f"the type {name} may not be named; use one of the engine's types of data"
        return Refusal("type", name, message, place_of(sql, start))
    if forbidden := forbidden_table(nodes, dialect, schema, policy):
        return _table(sql, *forbidden, schema)
    return _names(sql, tree, found, schema, dialect, policy)


def _call(sql: str, name: str, start: int | None) -> Refusal:
    return Refusal(
        "function", name, f"the function {name} may not be called; use another or none", place_of(sql, start)
    )


def _table(sql: str, table: exp.Table, code: Code, schema: Schema | None) -> Refusal:
    name = ".".join(part.name for part in table.parts)
    start = _start(table)
    if code == "table" and schema is not None:
        return _unknown(sql, Name(name, start or 0, (start or 0) + len(name) - 1, True, found=False), schema)
    return Refusal(code, name, _TABLE_REASONS[code].format(name=name), place_of(sql, start))


def _names(
    sql: str, tree: Tree, found: list[Token], schema: Schema | None, dialect: str, policy: Policy
) -> Refusal | None:
    if dialect not in RESOLVED:
        return None
    names = unresolved(sql, tree, found, schema, dialect, policy.partial, policy.functions)
    if names.called:
        return _call(sql, names.called[0].name, _start(names.called[0]))
    if not names.unknown:
        return None
    refusal = _unknown(sql, names.unknown[0], schema)
    added = _added_function(tree, dialect, policy)
    return replace(refusal, message=f"{refusal.message} {_COLUMNS_UNKNOWN.format(name=added)}") if added else refusal


def _added_function(tree: Tree, dialect: str, policy: Policy) -> str | None:
    """The first function that only the policy allows, whose columns no schema tells."""
    called = (node.name for node in tree.find_all(exp.Anonymous)) if dialect == "postgres" else ()
    return next((name for name in called if is_named(name, None, policy.functions)), None)


def _unknown(sql: str, name: Name, schema: Schema | None) -> Refusal:
    known = unknown_name(name, schema or Schema("", ()))
    message = known.complaint() if schema is not None else f"{known.name} is neither a column nor an allowed function"
    return Refusal("unknown_name", known.name, message, place_of(sql, name.start))


def names_to_look_up(sql: str, dialect: str, policy: Policy = DEFAULT_POLICY) -> list[str]:
    """The names of a query that passes whose meaning only a schema can tell."""
    found = tokens(sql, dialect)
    tree = shared_tree(sql, dialect)
    if found is None or tree is None or dialect not in RESOLVED:
        return []
    try:
        unsure = unresolved(sql, tree, found, None, dialect, policy.partial, policy.functions).unsure
    except (RecursionError, TooManySteps):  # `check_sql` refuses such a query
        return []
    return list(dict.fromkeys(name.text for name in unsure))


def _other_statement(sql: str, found: list[Token], dialect: str) -> Refusal | None:
    """A statement that begins like a query, such as `WITH ... DELETE`."""
    if parses(sql, dialect) != NOT_A_QUERY:
        return None
    verb = next((token for token in found if kind_of_statement(sql, [token])), None)
    if verb is None:
        return None
    word = written(sql, verb).upper()
    return Refusal("statement", word, f"{_ONE_SELECT}one does {word}", place_of(sql, verb.start))


def _unparsable(sql: str, dialect: str) -> Refusal:
    complaint = parses(sql, dialect) or "it can't be read"
    return Refusal(
        "unparsable", "text", f"it can't be read as SQL: {complaint}", place_of(sql, broken_at(sql, dialect))
    )


def _ambiguous(sql: str, at: int) -> Refusal:
    near = sql[at : at + 10]
    message = f"near {near!r} the text can be read in two ways; write it without comments, odd quotes or odd characters"
    return Refusal("ambiguous_text", near, message, place_of(sql, at))


def _start(node: exp.Expr) -> int | None:
    """The first place of a node's parts, as far as the parser kept their places."""
    starts = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
    return min(starts, default=None)
