"""Perturbed rows of a database, for the clones of a test suite.

A query that is right only by accident of the data returns something else where rows are missing, values are in
other rows, ties are broken, or values are NULL. Joins keep their partners: a row that refers to a dropped row is
dropped as well.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

SQLiteValue = str | int | float | bytes | None
TableRow = tuple[SQLiteValue, ...]

KEPT = 2
"""Rows of a table that are not dropped at random; fewer can stay only where they refer to dropped rows."""
NULLS = 0.15
"""The chance that a value of a chosen column becomes NULL."""
_MOVED = 0.15
"""The chance that a number is moved where ties are broken."""
_TIED_MOVED = 0.5
"""The chance if an earlier row has the same number."""
_FAR = 0.2
"""The chance that a moved number moves far, beyond what a condition of the question may ask for."""
_DIGITS = 15
"""Longer numbers are names of something, and twice as large they may be too large for a column."""
_FEW_VALUES = 3
"""With fewer values none is between the greatest and the least."""
_FLAGS: frozenset[SQLiteValue] = frozenset({0, 1, "0", "1"})
"""Types of columns in which equal values are normal."""


@dataclass(frozen=True)
class RowReference:
    """A foreign key, its columns by place."""

    columns: tuple[int, ...]
    target: str
    """The name of the table, case-folded."""
    target_columns: tuple[int, ...]


@dataclass(frozen=True)
class TableRows:
    """A table and its rows. Columns are meant by their place."""

    name: str
    columns: tuple[str, ...]
    required: frozenset[int]
    """Columns that may not be NULL."""
    unique: tuple[tuple[int, ...], ...]
    """The primary key and other keys, under which no two rows are equal."""
    references: tuple[RowReference, ...]
    rows: Sequence[TableRow]
    is_whole: bool
    """False for a sample of a large table."""


@dataclass(frozen=True)
class Perturbation:
    """Strength of the changes in one clone; the shares are 0 to 1."""

    dropped: float
    """The most rows of a table that are dropped at random."""
    shuffled: float
    """Columns whose values are shuffled."""
    breaks_ties: bool
    """Whether equal values of a column are made different, in columns that are part of no key."""
    nulls: bool
    """Whether values become NULL, in columns that may be and are part of no key."""


def recipe(number: int) -> Perturbation:
    """The recipe of a clone; the first 20 differ. One in five has NULLs."""
    return Perturbation(
        dropped=(0.6, 0.15, 0.75, 0.4, 0.3)[number % 5],
        shuffled=(1.0, 0.5, 0.25, 0.0)[number % 4],
        breaks_ties=number % 3 != 0,
        nulls=number % 5 == 4,
    )


def perturb(tables: Sequence[TableRows], how: Perturbation, random: Random) -> list[TableRows]:
    """Perturb the tables of a database; none has more rows after it than before.

    Rows come in random order. A reference that led nowhere before may still do so.
    """
    keys = {table.name.casefold(): _key_columns(table, tables) for table in tables}
    found = {table.name.casefold(): _referred(table, tables) for table in tables}
    changed = []
    for table in tables:
        name = table.name.casefold()
        columns = [list(column) for column in zip(*table.rows, strict=True)]
        _change(columns, table, keys[name], how, random)
        rows = _without_doubles(list(zip(*columns, strict=True)), table.unique)
        changed.append(replace(table, rows=_drop(rows, how, random, is_target=found[name])))
    return close(changed, tables)


def close(tables: Sequence[TableRows], before: Sequence[TableRows]) -> list[TableRows]:
    """Drop rows that refer to rows which are not there, until none is left.

    Args:
        tables: The tables.
        before: The tables of which rows were dropped. A reference that led nowhere in a whole table is kept.
    """
    origin = {table.name.casefold(): table for table in before}
    kept = list(tables)
    while True:
        named = {table.name.casefold(): table for table in kept}
        closed = [_with_partners(table, named, origin) for table in kept]
        if all(len(a.rows) == len(b.rows) for a, b in zip(kept, closed, strict=True)):
            return kept
        kept = closed


def comparable_key(row: TableRow, columns: Sequence[int]) -> tuple[str, ...] | None:
    """The values of a key so that those that a join finds equal are equal: 1, 1.0 and '1'. None if any is NULL."""
    values = [row[column] for column in columns]
    if any(value is None for value in values):
        return None
    return tuple(str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).casefold() for v in values)


def _with_partners(table: TableRows, now: dict[str, TableRows], before: dict[str, TableRows]) -> TableRows:
    rows = list(table.rows)
    for reference in table.references:
        target, origin = now.get(reference.target), before.get(reference.target)
        if target is None or origin is None:
            continue
        there = {comparable_key(row, reference.target_columns) for row in target.rows}
        dropped = {comparable_key(row, reference.target_columns) for row in origin.rows} - there
        has_partner = _is_there(reference, there, dropped, is_whole=origin.is_whole)
        rows = [row for row in rows if has_partner(row)]
    return replace(table, rows=rows)


def _is_there(
    reference: RowReference,
    there: set[tuple[str, ...] | None],
    dropped: set[tuple[str, ...] | None],
    *,
    is_whole: bool,
) -> Callable[[TableRow], bool]:
    def has_partner(row: TableRow) -> bool:
        key = comparable_key(row, reference.columns)
        return key is None or (key not in dropped if is_whole else key in there)

    return has_partner


def _change(
    columns: list[list[SQLiteValue]], table: TableRows, keys: set[int], how: Perturbation, random: Random
) -> None:
    fixed = {place for reference in table.references if len(reference.columns) > 1 for place in reference.columns}
    for place, values in enumerate(columns):
        if place not in fixed and random.random() < how.shuffled:
            random.shuffle(values)
        if place in keys:
            continue
        if how.breaks_ties:
            _break_ties(values, random)
        if how.nulls and place not in table.required and random.random() < 0.5:
            values[:] = [None if random.random() < NULLS else value for value in values]


def _break_ties(values: list[SQLiteValue], random: Random) -> None:
    """Move numbers to numbers near them, those of several rows above all; one row each has the greatest and the least.

    So a condition that all rows meet, such as `year >= 2014`, need not be met any more, and numbers are at the border
    of others, such as 40 for `age > 40`.
    """
    known = {value for value in values if value is not None}
    if known <= _FLAGS or not (_is_all(known, (int, float)) or _is_all(known, (str,))):
        return
    seen: set[SQLiteValue] = set()
    for place, value in enumerate(values):
        if random.random() < (_TIED_MOVED if value in seen else _MOVED):
            values[place] = _near(value, random)
        seen.add(value)
    _keep_one_extreme(values, random)


def _keep_one_extreme(values: list[SQLiteValue], random: Random) -> None:
    ordered = sorted({value for value in values if value is not None})
    if len(ordered) < _FEW_VALUES:
        return
    for extreme in (ordered[0], ordered[-1]):
        places = [place for place, value in enumerate(values) if value == extreme]
        for place in random.sample(places, len(places) - 1):
            values[place] = random.choice(ordered[1:-1])


def _near(value: SQLiteValue, random: Random) -> SQLiteValue:
    """A number near a number, of the same sign, at times half or twice as large; other values stay as they are."""
    if isinstance(value, str):
        is_number = value.isascii() and value.isdecimal() and value[0] != "0" and len(value) < _DIGITS
        return str(_near(int(value), random)) if is_number else value
    if not isinstance(value, int | float) or abs(value) >= 10**_DIGITS:
        return value
    if random.random() < _FAR:
        return random.choice((value * 2, int(value / 2) if isinstance(value, int) else value / 2))
    step = random.choice((-2, -1, -1, 1, 1, 2))
    return value - step if (value + step < 0) != (value < 0) else value + step


def _is_all(values: Iterable[SQLiteValue], kinds: tuple[type, ...]) -> bool:
    return all(isinstance(value, kinds) for value in values)


def _without_doubles(rows: list[TableRow], unique: Sequence[tuple[int, ...]]) -> list[TableRow]:
    """The rows without those that a key forbids next to an earlier one."""
    for columns in unique:
        first: dict[tuple[SQLiteValue, ...], int] = {}
        for place, row in enumerate(rows):
            first.setdefault(tuple(row[column] for column in columns), place)
        rows = [
            row
            for place, row in enumerate(rows)
            if any(row[column] is None for column in columns)
            or first[tuple(row[column] for column in columns)] == place
        ]
    return rows


def _drop(rows: list[TableRow], how: Perturbation, random: Random, *, is_target: bool) -> list[TableRow]:
    """A random part of the rows in random order; fewer are dropped of a table that others refer to."""
    most = how.dropped / 2 if is_target else how.dropped
    share = random.uniform(most / 2, most)
    left = max(min(KEPT, len(rows)), round(len(rows) * (1 - share)))
    return random.sample(rows, left)


def _key_columns(table: TableRows, tables: Sequence[TableRows]) -> set[int]:
    own = {place for columns in table.unique for place in columns}
    own |= {place for reference in table.references for place in reference.columns}
    return own | {place for reference in _references_to(table, tables) for place in reference.target_columns}


def _referred(table: TableRows, tables: Sequence[TableRows]) -> bool:
    return any(True for _ in _references_to(table, tables))


def _references_to(table: TableRows, tables: Sequence[TableRows]) -> Iterator[RowReference]:
    return (
        reference for other in tables for reference in other.references if reference.target == table.name.casefold()
    )
