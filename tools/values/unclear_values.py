"""Names in a question that fit several cells equally well, such as a city of customers and of suppliers."""

from collections.abc import Iterator, Sequence

from route_sql.tools.schema.question.asked_names import AskedNames, joined_columns, own_words, singulars
from route_sql.tools.schema.question.unclear_columns import MOST_READINGS, Unclear, distinct
from route_sql.tools.schema.quoting import literal
from route_sql.tools.schema.records import Schema
from route_sql.tools.text import words
from route_sql.tools.values.index import ValueIndex, ValueMatch, render_match
from route_sql.tools.values.phrases import Phrase, phrases

LABELS = frozenset({"name", "title", "label", "surname"})
"""Last words of columns that hold names of the table's rows."""
TITLES = frozenset("doctor dr miss mr mrs ms prof professor sir".split())
"""Words with a capital before a name that are not part of it."""

Named = tuple[Phrase, list[ValueMatch]]
"""A phrase of the question, and the cells that fit it best."""


def named_cells(question: str, index: ValueIndex, schema: Schema) -> list[Named]:
    """The phrases of a question that name cells, each with the equally likely ones; joined columns count as one."""
    found, joined = [], joined_columns(schema)
    for phrase, matches in index.by_phrase(question):
        best = [match for match in matches if match.score == matches[0].score]
        places = distinct([(match.table, match.column) for match in best], joined)
        found.append((phrase, [match for match in best if (match.table, match.column) in places]))
    return [(phrase, best) for phrase, best in found if best]


def likely_cells(named: Sequence[Named], asked: AskedNames) -> list[Named]:
    """The phrases, without cells of views, and without cells of other tables where the question makes the table clear.

    A table is clear if the question names it right before the cell, or names a column or cell that only this table has.
    If the question lists several of the tables, all of them are meant, and the first cell represents them.
    """
    real = [(phrase, [match for match in best if match.table not in asked.views] or best) for phrase, best in named]
    settled = asked.settled | {best[0].table for _, best in real if len(best) == 1}
    return [(phrase, _likely(phrase, best, asked, settled)) for phrase, best in real]


def _likely(phrase: Phrase, best: list[ValueMatch], asked: AskedNames, settled: set[str]) -> list[ValueMatch]:
    for tables in (asked.named_before(phrase.text), settled):
        if kept := [match for match in best if match.table in tables]:
            return kept
    owners = {match.table for match in best}
    is_list = len(owners) > 1 and all(asked.tables[key] for key in owners) and asked.is_joined_list(owners)
    return best[:1] if is_list else best


def unclear_cells(named: Sequence[Named], dialect: str) -> Iterator[Unclear]:
    """The phrases that name cells of several columns, or several spellings in one, equally well."""
    for phrase, best in named:
        if 1 < len(best) <= MOST_READINGS and len(phrase.key) > 1:
            yield Unclear(phrase.text, tuple(render_match(match, dialect) for match in best))


def unclear_parts(
    question: str, named: Sequence[Named], asked: AskedNames, index: ValueIndex, schema: Schema
) -> Iterator[Unclear]:
    """The words that are a part of several names, such as "Smith" of two people."""
    taken = {at for phrase, _ in named for at in range(phrase.start, phrase.start + phrase.length)}
    written = phrases(question)
    titles = TITLES | asked.known
    single = (phrase for phrase in written if phrase.length == 1 and phrase.is_capitalised)
    capitals = {phrase.start for phrase in single if phrase.stem not in titles}
    for phrase in written:
        span = {*range(phrase.start, phrase.start + phrase.length)}
        is_whole = not {phrase.start - 1, phrase.start + phrase.length} & capitals
        is_name = phrase.is_capitalised and is_whole and not {*singulars(phrase.text)} & asked.known
        if taken & span or not (is_name or phrase.is_quoted):
            continue
        cells = [cell for cell in index.containing(phrase) if is_label(cell[0].table, cell[0].column, schema)]
        taken |= span if cells else set()
        if 1 < len(cells) <= MOST_READINGS and not is_plural(question, cells[0][0].table, schema):
            written_cells = (f"{texts.reference} = {literal(value, schema.dialect)}" for texts, value in cells)
            yield Unclear(phrase.text, tuple(written_cells))


def is_label(key: str, name: str, schema: Schema) -> bool:
    """Whether a column holds the names of its table's rows: `city.name`, `city.city`, `person.last_name`."""
    table = schema.table(key)
    column = table.column(name) if table else None
    if table is None or column is None or any(name in each.columns for each in table.foreign_keys):
        return False
    own = own_words(table, column)
    return (bool(own) and own[-1] in LABELS) or singulars(name) == singulars(table.name)


def is_plural(question: str, key: str, schema: Schema) -> bool:
    """Whether the question names the table in the plural, and so may mean several rows."""
    table = schema.table(key)
    last = singulars(table.name)[-1:] if table else []
    return any([word] != last and singulars(word) == last for word in words(question))
