"""Words of a question that fit several columns equally well, such as "name" where two tables have one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from route_sql.tools.schema.question.asked_names import CONNECTING, AskedNames, ColumnPlace, Mention
from route_sql.tools.schema.quoting import quote_name, quote_table
from route_sql.tools.schema.records import Schema

MOST_READINGS = 6
"""Readings of a word that a person can choose from; a word with more says too little about the schema."""


@dataclass(frozen=True)
class Unclear:
    """A word or phrase of a question, and the columns or values that fit it equally well, as SQL."""

    words: str
    readings: tuple[str, ...]


def unclear_columns(asked: AskedNames, schema: Schema, valued: Collection[str] = ()) -> list[Unclear]:
    """The words of a question that fit several columns equally well.

    The question settles it where it names one of the tables, names one right next to the column, or names a column or
    value that only one of them has. Tables named as "customers and suppliers" are all meant. Columns that foreign keys
    join are the same.

    Args:
        asked: The names in the question.
        schema: The schema that the asker may see.
        valued: Tables with a value that the question names.
    """
    settled = asked.settled | {*valued}
    found = {}
    for mention in asked.mentions:
        places = distinct(_meant(mention, asked, settled), asked.joined)
        if 1 < len(places) <= MOST_READINGS:
            text = " ".join(asked.tokens[mention.start : mention.end])
            found[text] = Unclear(text, tuple(reference(place, schema) for place in places))
    return list(found.values())


def _meant(mention: Mention, asked: AskedNames, settled: Collection[str]) -> list[ColumnPlace]:
    """The columns of a mention that the question may mean; only the first if it means all."""
    before = next((token for token in reversed(asked.tokens[: mention.start]) if token not in ("s", "whose")), "")
    next_to = [place for place in mention.places if before in asked.parts[place]]
    if 0 < len(next_to) < len(mention.places):
        return next_to
    if not next_to and before not in asked.silent and before in asked.known:
        return []  # "company name" means the company, however its column is called
    if others := [key for key in asked.tables if _is_of(mention, key, asked)]:
        return _referred(mention, others, asked)
    named = {key for key, _ in mention.places if asked.tables[key]}
    if len(named) > 1 and asked.is_joined_list(named):
        return [*mention.places[:1]]
    adjoining = {key for key in named if _follows(mention, key, asked)}
    left = adjoining or (named & {*settled}) or named or ({key for key, _ in mention.places} & {*settled})
    return [place for place in mention.places if not left or place[0] in left]


def _is_of(mention: Mention, key: str, asked: AskedNames) -> bool:
    """Whether the column is said to be of this table, which has no such column: "name of each sale"."""
    return key not in {place[0] for place in mention.places} and _follows(mention, key, asked)


def _referred(mention: Mention, keys: Sequence[str], asked: AskedNames) -> list[ColumnPlace]:
    """The columns in tables that these tables refer to; none if these tables have a similar column themselves."""
    phrase = {*asked.tokens[mention.start : mention.end]}
    if any(phrase & asked.parts[place] for place in asked.own if place[0] in keys):
        return []
    targets = {edge.target for edge in asked.references if edge.source in keys}
    return [place for place in mention.places if place[0] in targets]


def _follows(mention: Mention, key: str, asked: AskedNames) -> bool:
    """Whether a table's name follows the column, with only connecting words or names of its columns between."""
    between = CONNECTING | asked.words_of[key]
    after = [span.start for span in asked.tables[key] if span.start >= mention.end]
    return any({*asked.tokens[mention.end : at]} <= between for at in after[:1])


def distinct(places: Sequence[ColumnPlace], joined: Mapping[ColumnPlace, ColumnPlace]) -> list[ColumnPlace]:
    """One of the columns for each group that foreign keys join."""
    return list({joined.get(place, place): place for place in reversed(places)}.values())[::-1]


def reference(place: ColumnPlace, schema: Schema) -> str:
    """A column as SQL writes it, with its table."""
    table = schema.table(place[0])
    return f"{quote_table(table, schema.dialect)}.{quote_name(place[1], schema.dialect)}" if table else place[1]
