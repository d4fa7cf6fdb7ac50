"""The types that a query may name: the engine's own types of data, and those of visible columns.

A type can show the catalog: every table of PostgreSQL is a type whose fields are its columns, and types such as
`regclass` turn numbers into names. SQLite reads only the kind of a type from its words, and MySQL's grammar lists all
types, so nothing is forbidden there.
"""

import json
from collections.abc import Iterator

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from route_sql.tools.guard.names.values import bare_type, fold, type_key
from route_sql.tools.guard.nodes import QueryNodes, of_kind
from route_sql.tools.schema.records import Column, Schema
from route_sql.tools.sql.parsing import written

_POSTGRES = frozenset(
    """
    bigint int8 bigserial serial8 bit varbit boolean bool box bytea character char varchar bpchar nchar cidr circle
    date double float float4 float8 inet integer int int4 interval json jsonb jsonpath line lseg macaddr macaddr8 money
    numeric decimal dec path point polygon real smallint int2 serial serial2 serial4 smallserial text time timetz
    timestamp timestamptz tsquery tsvector uuid xml name oid national citext hstore
    int4range int8range numrange tsrange tstzrange daterange
    int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
    """.split()
)
_DUCKDB = frozenset(
    "hugeint uhugeint ubigint uinteger usmallint utinyint bignum varint bit bitstring blob bytea varbinary uuid json "
    "timestamp_s timestamp_ms timestamp_ns timestamp_us timestamptz timetz time_ns variant geometry".split()
)
_READING_JSON = frozenset({"from_json", "from_json_strict", "json_transform", "json_transform_strict"})
"""DuckDB's functions whose last argument names types."""
_COMPUTED = "of a computed structure"
_QUERY_WORDS = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.TABLE, TokenType.L_PAREN})
_LOOK_UPS = frozenset(
    "regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole "
    "regtype regdatabase aclitem xid xid8 cid tid refcursor record anyelement cstring internal".split()
)
_OWN_TYPES = {"postgres": _POSTGRES, "duckdb": _DUCKDB}
_OWN_NAMESPACES = {"postgres": frozenset({"pg_catalog"}), "duckdb": frozenset({"main", "system"})}
_BEFORE_TEXT = frozenset(
    """
    zone placing leading trailing both passing value key path default to uescape e n b x u like ilike escape in when
    then else and or not select distinct from where on limit is as returning content document format separator
    similar between by all any some case having using over row array values null true false end with ordinality
    empty error object symmetric asymmetric
    """.split()
)
_WORDS = (TokenType.VAR, TokenType.IDENTIFIER)
_BOUNDS = (["BETWEEN"], ["UNBOUNDED"], ["CURRENT"])


def forbidden_type(
    sql: str, found: list[Token], nodes: QueryNodes, schema: Schema | None, dialect: str
) -> tuple[str, int | None] | None:
    """The first type that may not be named, as written, and where it begins if that is known.

    Without a schema, a type that a user made counts as the type of a column.
    """
    if dialect not in _OWN_TYPES:
        return None
    own = _own_types(schema, dialect) if schema is not None else None
    for kind in (node for node in nodes if isinstance(node, exp.DataType | exp.ObjectIdentifier)):
        if not _is_allowed(kind, own, dialect):
            return kind.sql(dialect=dialect), None
    if dialect == "duckdb":
        for label in _types_of_pivots(nodes):
            if own is not None and label.name.casefold() not in own:
                return label.name, label.meta.get("start")
        return next(((text, None) for text in _types_in_text(nodes) if not _is_plain(text)), None)
    if dialect == "postgres":
        for token in _types_by_words(sql, found):
            name = _folded(sql, token)
            is_own = not _is_systems(name) if own is None else name in own
            if name not in _POSTGRES and name.removeprefix("_") not in _POSTGRES and not is_own:
                return written(sql, token), token.start
    return None


def _is_allowed(kind: exp.Expr, own: frozenset[str] | None, dialect: str) -> bool:
    if isinstance(kind, exp.ObjectIdentifier):
        return fold(str(kind.this)) == "oid"
    if kind.this != exp.DataType.Type.USERDEFINED:
        return True  # its spelling is compared with the list where the words are read
    name, namespace = type_key(kind, dialect), _namespace(kind)
    is_engines = name in _OWN_TYPES[dialect] or (name.startswith("_") and name[1:] in _OWN_TYPES[dialect])
    if namespace in (None, *_OWN_NAMESPACES[dialect]) and is_engines:
        return True
    if dialect == "postgres" and (namespace == "pg_catalog" or _is_systems(name)):
        return False
    if dialect == "duckdb" and namespace not in (None, "main"):
        return own is None
    return own is None or name.lstrip("_") in own or name in own


def _types_of_pivots(nodes: QueryNodes) -> Iterator[exp.Identifier]:
    """The enumerated types whose labels become columns: `PIVOT (sum(n) FOR plan IN plan_type)`."""
    for pivot in of_kind(nodes, exp.Pivot):
        for group in pivot.args.get("fields") or []:
            named = group.args.get("field")
            yield from named.find_all(exp.Identifier) if isinstance(named, exp.Expr) else ()


def _types_in_text(nodes: QueryNodes) -> Iterator[str]:
    """The types that JSON names for its values: `json_transform(doc, '{"a": "INTEGER"}')`."""
    for call in (node for node in nodes if isinstance(node, exp.Anonymous | exp.FromJson)):
        if isinstance(call, exp.FromJson) or fold(call.name) in _READING_JSON:
            structure = call.expression if isinstance(call, exp.FromJson) else (call.expressions or [None])[-1]
            yield from _named_types(structure)


def _named_types(structure: exp.Expr | None) -> Iterator[str]:
    """The types of a structure; a text that isn't JSON is a type itself. Those of a computed one are not known."""
    if not (isinstance(structure, exp.Literal) and structure.is_string):
        yield _COMPUTED
        return
    try:
        waiting = [json.loads(structure.name)]
    except (ValueError, RecursionError):
        yield structure.name
        return
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict | list):
            waiting += part.values() if isinstance(part, dict) else part
        else:
            yield str(part)


def _is_plain(text: str) -> bool:
    """Whether a text is one of DuckDB's own types: the mere name of a user's type would tell that it exists."""
    if fold(text) in _DUCKDB | {"null"}:
        return True
    try:
        kind = exp.DataType.build(text, dialect="duckdb")
    except (SqlglotError, ValueError, RecursionError):
        return False
    return all(_is_allowed(part, frozenset(), "duckdb") for part in kind.find_all(exp.DataType))


def _is_systems(name: str) -> bool:
    """Whether a type looks into PostgreSQL's catalog, or is a row of it: no user's type has such a name."""
    plain = name.removeprefix("_")
    return plain in _LOOK_UPS or plain.startswith("pg_")


def _namespace(kind: exp.Expr) -> str | None:
    named = kind.args.get("kind")
    return named.this.name if isinstance(named, exp.Dot) and isinstance(named.this, exp.Identifier) else None


def _own_types(schema: Schema, dialect: str) -> frozenset[str]:
    """The types of a schema's columns that users made."""

    def every(column: Column) -> Iterator[str]:
        yield bare_type(column.type)
        yield from column.type_names
        for part in column.fields:
            yield from every(part)

    names = {name for table in schema for column in table.columns for name in every(column) if name}
    return frozenset(name if dialect == "postgres" else name.casefold() for name in names)


def _types_by_words(sql: str, found: list[Token]) -> Iterator[Token]:
    """Words that PostgreSQL reads as a type, whatever sqlglot makes of them.

    sqlglot reads `string` as `text`, but in PostgreSQL it may be a table, whose rows have this type.
    """
    keywords = Dialect.get_or_raise("postgres").parser_class.TYPE_TOKENS
    columns = any(token.text.casefold() in ("as", "columns") for token in found)
    openers = _openers(found)
    for place, token in enumerate(found):
        before = found[place - 1] if place else None
        after = found[place + 1] if place + 1 < len(found) else None
        if after is not None and after.token_type == TokenType.DOT:
            continue
        is_word = token.token_type in _WORDS or token.token_type in keywords
        if not is_word or before is None:
            continue
        if before.token_type == TokenType.DOT:
            continue  # with its schema it is a type of its own in the tree, too
        if before.token_type == TokenType.DCOLON or (
            before.token_type == TokenType.ALIAS and _casts(found, openers[place - 1])
        ):
            yield token
        elif _is_frame(found, place, openers[place]):
            continue
        elif after is not None and after.token_type == TokenType.STRING:
            if _folded(sql, token) not in _BEFORE_TEXT:
                yield token
        elif (
            columns and token.token_type in keywords and before.token_type in _WORDS and _in_list(found, openers[place])
        ):
            yield token


def _casts(found: list[Token], opener: int) -> bool:
    """Whether an AS within this bracket is that of a CAST."""
    return opener > 0 and found[opener - 1].text.casefold() in ("cast", "try_cast", "xmlserialize")


def _is_frame(found: list[Token], place: int, opener: int) -> bool:
    """Whether a word of a window's bracket begins its frame, such as `RANGE '1 day' PRECEDING`, and is no type."""
    is_window = opener > 0 and found[opener - 1].text.upper() in ("OVER", "AS")
    if not is_window or found[opener + 1].token_type in _QUERY_WORDS or found[place].token_type == TokenType.IDENTIFIER:
        return False
    word, *after = [token.text.upper() for token in found[place : place + 3]]
    is_offset = any(token.token_type == TokenType.STRING for token in found[place + 1 : place + 2])
    is_bound = after[1:] in (["PRECEDING"], ["FOLLOWING"]) if is_offset else after[:1] in _BOUNDS
    return word == "RANGE" and is_bound


def _in_list(found: list[Token], opener: int) -> bool:
    """Whether this bracket holds the list of columns after an alias or COLUMNS."""
    if opener < 1 or found[opener + 1].token_type in _QUERY_WORDS:  # `WITH r AS (SELECT ...` holds a query
        return False
    word = found[opener - 1]
    is_alias = opener > 1 and found[opener - 2].token_type == TokenType.ALIAS
    return is_alias or word.text.casefold() in ("as", "columns")


def _openers(found: list[Token]) -> list[int]:
    """For each place the bracket that is open there, -1 if none is; in one pass, since a list may be long."""
    waiting: list[int] = []
    openers = []
    for place, token in enumerate(found):
        openers.append(waiting[-1] if waiting else -1)
        if token.token_type == TokenType.L_PAREN:
            waiting.append(place)
        elif token.token_type == TokenType.R_PAREN and waiting:
            waiting.pop()
    return openers


def _folded(sql: str, token: Token) -> str:
    if token.token_type == TokenType.IDENTIFIER:
        return token.text
    words = fold(written(sql, token)).split()
    # `double precision` is the engine's, `double` alone may be anybody's
    return "?double" if words == ["double"] else words[0]
