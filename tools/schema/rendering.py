"""A schema as text for a prompt: close to CREATE TABLE, one line for each column, few tokens."""

from dataclasses import dataclass
from threading import Lock

from route_sql.tools.schema.quoting import is_number, is_numeric_type, literal, quote_name
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.types import holds_several, short_type
from route_sql.tools.text import clean, is_clean

NAME_CHARS = 128
COMMENT_CHARS = 120
SAMPLE_CHARS = 40
TYPE_CHARS = 160
LABELS = 24
LABEL_CHARS = 64
LABELS_CHARS = 320
"""Number of labels of an enumerated type that are shown, and their characters together at most."""

MOST_RENDERED = 16
"""Schemas whose text is kept."""
SAMPLES_TOKENS = 10.0
"""Approximate tokens for the samples of one column; the first is shown whatever its length."""


def render(schema: Schema, *, samples: bool = True, comments: bool = True) -> str:
    """Render a schema for a prompt, as text close to CREATE TABLE, with one line for each column.

    Names are quoted where the dialect needs it. Some parts are left out to save tokens: lengths of types, foreign keys
    to tables that the schema lacks, samples of columns that refer to another table or have labels, and numbers, unless
    a column has only one or two of them. Labels are shown up to a bound, with their total number if there are more.
    Names, comments and samples are cleaned and clipped, so that none of them can begin a new line.

    Args:
        schema: The schema to show.
        samples: Whether to show sample values, as SQL literals. Labels of enumerated types are always shown.
        comments: Whether to show the comments of tables and columns.
    """
    tables = {table.key.casefold(): table for table in reversed(schema.tables)}
    renderer = _Renderer(schema.dialect, tables | {table.key: table for table in schema.tables}, samples, comments)
    return "\n".join(renderer.table(table) for table in schema.tables)


def render_again(schema: Schema) -> str:
    """Render a schema in full, or return the text of the last time: all prompts of a question show the same schema.

    A schema is known by its identity, since comparing a large one takes as long as rendering it.
    """
    if (known := _RENDERED.get(id(schema))) is not None:
        return known[1]
    text = render(schema)
    with _LOCK:
        while len(_RENDERED) >= MOST_RENDERED:
            _RENDERED.pop(next(iter(_RENDERED)))
        _RENDERED[id(schema)] = schema, text  # holds the schema, so that its identity is not given to another
    return text


_RENDERED: dict[int, tuple[Schema, str]] = {}
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class _Renderer:
    dialect: str
    tables: dict[str, Table]
    samples: bool
    comments: bool

    def table(self, table: Table) -> str:
        """Lines of a table."""
        references = self._references(table)
        remarks = ["view"] if table.is_view else []
        head = f"{self._table_name(table)} (" + _remarks(remarks + self._comment(table.comment))
        columns = [self._column(table, column, references.get((column.name,), [])) for column in table.columns]
        return "\n".join([head, *columns, *self._composite_keys(table, references), ")"])

    def _column(self, table: Table, column: Column, references: list[str]) -> str:
        parts = [self._name(column.name), _type(column.type)]
        parts += ["PRIMARY KEY"] if table.primary_key == (column.name,) else []
        parts += [f"REFERENCES {target}" for target in references]
        remarks = self._comment(column.comment)
        labels = _labels(column, self.dialect)
        remarks += labels
        is_number_key = column.name in table.primary_key and is_numeric_type(column.type)
        wants_samples = self.samples and not labels and not references and not is_number_key
        if wants_samples and (samples := _samples(column, self.dialect)):
            remarks.append(("e.g. " if remarks else "") + ", ".join(samples))
        return f"  {' '.join(part for part in parts if part)}," + _remarks(remarks)

    def _comment(self, comment: str | None) -> list[str]:
        return [clean(comment, COMMENT_CHARS)] if comment and self.comments else []

    def _references(self, table: Table) -> dict[tuple[str, ...], list[str]]:
        """Targets of foreign keys by their columns, as text such as `orders(id)`."""
        found: dict[tuple[str, ...], list[str]] = {}
        for key in table.foreign_keys:
            target = self.tables.get(key.target_table) or self.tables.get(key.target_table.casefold())
            columns = tuple(column.name for name in key.columns if (column := table.column(name)))
            if target is not None and columns:
                found.setdefault(columns, []).append(self._reference(target, key))
        return found

    def _reference(self, target: Table, key: ForeignKey) -> str:
        columns = key.target_columns or target.primary_key
        return self._table_name(target) + (f"({self._names(columns)})" if columns else "")

    def _composite_keys(self, table: Table, references: dict[tuple[str, ...], list[str]]) -> list[str]:
        lines = []
        if len(table.primary_key) > 1:
            lines.append(f"  PRIMARY KEY ({self._names(table.primary_key)}),")
        for columns, targets in references.items():
            if len(columns) > 1:
                names = self._names(columns)
                lines += [f"  FOREIGN KEY ({names}) REFERENCES {target}," for target in targets]
        return lines

    def _names(self, names: tuple[str, ...]) -> str:
        return ", ".join(map(self._name, names))

    def _name(self, name: str) -> str:
        return quote_name(clean(name, NAME_CHARS), self.dialect)

    def _table_name(self, table: Table) -> str:
        return ".".join(self._name(part) for part in (table.namespace, table.name) if part)


def _type(sql_type: str) -> str:
    short = short_type(sql_type, TYPE_CHARS)
    return clean(short, TYPE_CHARS)


def _labels(column: Column, dialect: str) -> list[str]:
    """Labels of a column's type as a remark, such as `one of 'new', 'closed'`; none without labels."""
    shown: list[str] = []
    for label in column.labels[:LABELS]:
        text = literal(label, dialect)
        if is_clean(label, LABEL_CHARS) and len(", ".join([*shown, text])) <= LABELS_CHARS:
            shown.append(text)
    if not shown:
        return []
    rest = "" if len(shown) == len(column.labels) else f", ... ({len(column.labels)} labels)"
    return [("any of " if holds_several(column.type) else "one of ") + ", ".join(shown) + rest]


def _samples(column: Column, dialect: str) -> list[str]:
    """Samples as literals, as many as the token budget allows; numbers only if there are one or two."""
    if is_numeric_type(column.type) and all(map(is_number, column.samples)) and len(column.samples) > 2:
        return []
    shown: list[str] = []
    spent = 0.0
    for sample in column.samples:
        text = literal(clean(sample, SAMPLE_CHARS), dialect, column.type)
        spent += 1 + sum(0.25 if c.isalpha() or c == " " else 1 for c in text)
        if not shown or spent <= SAMPLES_TOKENS:
            shown.append(text)
    return shown


def _remarks(remarks: list[str]) -> str:
    return f" -- {'; '.join(remarks)}" if remarks else ""
