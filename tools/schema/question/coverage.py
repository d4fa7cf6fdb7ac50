"""Words of a question that a schema, or the part of it used by a query, covers."""

from collections.abc import Iterable

from route_sql.tools.schema.records import Link, Schema, Table
from route_sql.tools.text import singular, words

COMMON = frozenset(
    "a about above all also among an and any are as at average be been below between by can count did different "
    "distinct do does each ever every find for from give had has have he her his how i in into is it its least "
    "less list many maximum me minimum more most much name no not number of on only or other our out over please "
    "return select she show than that the their them there they this those to total under use was we were what "
    "when where which who whose why will with without you your".split()
)
"""Words that questions have on any subject."""
STEM = 5
"""Number of first letters that two forms of one word share."""


def content_words(text: str) -> set[str]:
    """Words of a text that say what it is about, in the singular."""
    return {singular(word) for word in words(text)} - COMMON


def covered_share(question: str, texts: Iterable[str]) -> float:
    """Share of a question's content words that the texts have, 0 to 1; 1 for a question without such words."""
    asked = content_words(question)
    return 1.0 - len(uncovered_words(question, texts)) / len(asked) if asked else 1.0


def uncovered_words(question: str, texts: Iterable[str]) -> list[str]:
    """Content words of a question that the texts don't have, in the question's order."""
    known = {singular(word) for text in texts for word in words(text)}
    asked = dict.fromkeys(singular(word) for word in words(question))
    return [word for word in asked if word not in COMMON and not _is_known(word, known)]


def texts_of(schema: Schema, link: Link | None = None) -> list[str]:
    """Names, comments, labels and samples of a schema, or of the part that a link names."""
    tables = schema.tables if link is None else [table for table in schema.tables if table.key in link]
    return [text for table in tables for text in _texts(table, None if link is None else set(link[table.key]))]


def _texts(table: Table, names: set[str] | None) -> list[str]:
    columns = [column for column in table.columns if names is None or column.name in names]
    texts = [table.name, table.comment or ""]
    for column in columns:
        texts += [column.name, column.comment or "", *column.labels, *column.samples]
    return texts


def _is_known(word: str, known: set[str]) -> bool:
    """Whether a word, or one with the same beginning (`enrolled`, `enrolment`), is among the known ones."""
    return word in known or (len(word) > STEM and any(other.startswith(word[:STEM]) for other in known))
