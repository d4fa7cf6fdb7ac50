"""Errors of engines, for a caller to whom a part of the database is hidden.

An error may quote anything: a cell that a view computes with, a table that a view reads, a value of the query. If only
hidden names were taken out, whoever lets the engine quote a word (`CAST('sec' || 'ret' AS INTEGER)`) would learn
whether it is one. Words of the query are no better: `/* flu asthma */` would be two guesses at a cell. What stays is
the language of the engines, without numbers, and names that the caller may see; of a quoted text, those names alone.
"""

import re

from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.schema.records import Column, Schema

LEFT_OUT = "..."
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|`[^`]*`""")
_RUN = re.compile(r"\.\.\.(?:\s\.\.\.)+")
_ENGINES = frozenset(
    """
    a aborted above abs accept accepts access across actual add added administrator after aggregate aggregated
    aggregates aggregation alias aliases all allowed already also alter always ambiguous amount an and another any
    appear appears applied apply are argument arguments array arrays as assertion assign assignment at attempt
    automatically available avoid away bad base be because been before begin beginning below between bigint binder
    bit blob block bool boolean both bound boundary bounds bracket brackets bug but by byte bytea bytes call
    called calling calls can canceling candidate candidates cannot cast casting casts catalog change changed char
    character characters check clause clauses close closed closing coalesce code collation collations column
    columns combine command common comparable compare compared comparing comparison compatible compile complete
    complex component computed concurrent conflict conflicting connection consider constant constants constraint
    contain contains content context conversion convert converted correlated corrupt could count create cross
    current cycle data database databases date datetime day deadlock decimal decode deep default define defined
    definition delimiter denied depth derived destination detected determine dialect did difference different
    digit digits dimension dimensions disabled disk distinct division do does doesn domain double dropped duckdb
    due duplicate dynamic each either element elements else empty enable encoding end ended entries entry enum
    equal error errors escape exactly exceed exceeded exceeds except execute execution exist existing exists
    expect expected expecting explicit expression expressions extract fail failed failure feature fetch few fewer
    field fields file filter find finding first float following for form format formatted found frame from full
    function functions further given greater group grouped grouping groups had has have having hexadecimal hint
    hour how hugeint identifier identifiers if ignored illegal implement implementation implemented implicit in
    include included including incompatible inconsistent incorrect incorrectly index indexed indexes indicator
    infinite infinity information inner input inside instead insufficient int int16 int2 int32 int4 int64 int8
    integer integer_literal internal intersect interval into invalid invoked io is isn it item items its join
    joined joins json jsonb key keys keyword kind know known label lambda language large larger last lateral least
    left length less level like limit limited line list lists literal local lock locked long lost lower main
    malformed many map mapping mariadb match matched matches matching maximum may mb mean means memory minimum
    minute mismatch missing mixed mode modified month more most ms multiple must mysql name named names natural
    near need needed needs negative nested new no non none nonnegative not null number numbers numeric object of
    off offset old on once one only open opening operand operands operation operator operators option or order
    ordered ordering other out outer outside over overflow overflows own padding pair parameter parameters parse
    parsed parser parsing part partial partition pattern perform performed perhaps permission permitted pivot
    place plain please position positional positive possible postgresql precision prepared present previous
    primary privilege problem procedure process provide provided query range rank reached read reading real reason
    recognized record recovery recursion recursive reference referenced references refers regex regexp regular
    relation remove repeat repetition replace request require required requires reserved resolve resource result
    results return returned returning returns right row rows run running same sample scalar scale schema schemas
    search second seconds select sequence serialization server set sets setting should shut side sign signature
    single size small smaller smallint some source specific specified specifier specify sql sqlite stack start
    statement statements still stop stopped string string_literal strings struct subqueries subquery such suitable
    support supported syntax system t table tables take takes target temporary term text than that the then there
    these this time timeout timestamp timestamptz timezone tinyint to token too took top trailing transaction
    truncated try two type types ubigint uhugeint uint16 uint32 uint64 uint8 uinteger unable unclosed undefined
    unequal unexpected union unique unit unknown unmatched unnest unrecognized unsigned unsupported unterminated
    until unused up update upper usage use used user uses using usmallint utf utf8 utinyint uuid valid value
    values varchar variable varying version view views was way week were when where which while width window with
    within without word work would write wrong year you your zero zone zones
    """.split()
)
"""Words of the engines' own messages, of ours about a query that was stopped, and their types."""


def readable_error(error: str, visible: Schema) -> str:
    """An engine's error with the words of its language and the names of the visible schema only.

    Args:
        error: The engine's words.
        visible: The tables and columns that the caller may see.
    """
    names = _names_of(visible)
    spoken = names | _ENGINES | FUNCTIONS.get(visible.dialect, frozenset())

    def readable(text: str, known: set[str]) -> str:
        return _WORD.sub(lambda word: word[0] if word[0].casefold() in known else LEFT_OUT, text)

    parts, place = [], 0
    for quoted in _QUOTED.finditer(error):
        parts += [readable(error[place : quoted.start()], spoken), readable(quoted[0], names)]
        place = quoted.end()
    return _RUN.sub(LEFT_OUT, "".join([*parts, readable(error[place:], spoken)]))


def _names_of(schema: Schema) -> set[str]:
    texts = [text for table in schema for text in (table.key, *_texts_of(table.columns))]
    return {word.casefold() for text in texts for word in _WORD.findall(text)}


def _texts_of(columns: tuple[Column, ...]) -> list[str]:
    return [text for column in columns for text in (column.name, column.type, *_texts_of(column.fields))]
