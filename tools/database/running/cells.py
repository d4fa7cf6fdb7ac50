"""Conversion of a driver's value into a cell that JSON and every checkpointer hold exactly.

A number stays one if that is exact: an integer of up to 64 bits, or a fraction whose digits a float can hold. All other
values are text, as their engine writes them.
"""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from route_sql.tools.database.outcome import Cell

SHOWN_BYTES = 16
"""Bytes of a blob that are shown."""
ELLIPSIS = "…"
Spelling = Mapping[str, str]
"""An engine's words for Python's `inf`, `-inf` and `nan`, where they differ."""
NO_SPELLING: Spelling = {}
_INTEGERS = range(-(2**63), 2**64)
"""Integers of 64 bits; a checkpointer's MessagePack holds no others."""
_EXACT = 2**53
"""Below this, neighbouring integers are different floats."""
_MOST_DIGITS = 1_000
"""Numbers with more digits are written with an exponent."""


class WrittenList(list[object]):
    """A list with the text that its engine writes for it: the text is shown, the items are compared."""

    text: str


def plain_cell(value: object, spelling: Spelling = NO_SPELLING) -> Cell:
    """A value as JSON can hold it: blobs as the text of a literal, lists as JSON unless their engine wrote them."""
    if isinstance(value, str):
        return value if value.isascii() else _whole_characters(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value in _INTEGERS else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else spelling.get(str(value), str(value))
    if isinstance(value, Decimal):
        return _plain_decimal(value, spelling)
    return _written(value, spelling)


def _written(value: object, spelling: Spelling) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return _blob(bytes(value))
    if isinstance(value, WrittenList):
        return value.text
    if isinstance(value, list | tuple | dict):
        return as_json(value, spelling)
    return duration(value) if isinstance(value, timedelta) else str(value)


def as_json(value: list[object] | tuple[object, ...] | dict[object, object], spelling: Spelling = NO_SPELLING) -> str:
    """A list or a structure as JSON; what JSON can't hold exactly is text in it."""
    return json.dumps(_nested(value, spelling), ensure_ascii=False)


def duration(value: timedelta) -> str:
    """A duration as hours, minutes and seconds with one sign, as SQL writes it: `-01:00:00`, `838:59:59.5`."""
    microseconds = abs(value) // timedelta(microseconds=1)
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if value < timedelta() else ""
    return f"{sign}{hours:02}:{minutes:02}:{seconds:02}" + (f".{fraction:06}".rstrip("0") if fraction else "")


def _plain_decimal(value: Decimal, spelling: Spelling) -> Cell:
    """The integer or the float of exactly these digits, else the digits."""
    if not value.is_finite():
        return plain_cell(float(value), spelling)
    if value.adjusted() > _MOST_DIGITS or value.adjusted() < -_MOST_DIGITS:
        return str(value)
    if value.as_tuple().exponent == 0:
        return plain_cell(int(value))
    return float(value) if is_exact_as_float(value) else f"{value:f}"


def is_exact_as_float(value: Decimal) -> bool:
    """Whether a float shows exactly the digits of a decimal."""
    near = float(value)
    return abs(near) < _EXACT and Decimal(repr(near)) == value


def _nested(value: object, spelling: Spelling) -> object:
    """A list or a structure as JSON can hold it."""
    if isinstance(value, list | tuple):
        return [_nested(item, spelling) for item in value]
    if isinstance(value, dict):
        return {str(key): _nested(item, spelling) for key, item in value.items()}
    return plain_cell(value, spelling)


def _blob(value: bytes) -> str:
    more = ELLIPSIS if len(value) > SHOWN_BYTES else ""
    unit = "byte" if len(value) == 1 else "bytes"
    return f"x'{value[:SHOWN_BYTES].hex()}{more}' ({len(value)} {unit})"


def _whole_characters(text: str) -> str:
    r"""A text that UTF-8 can hold: half a surrogate pair becomes `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode()
