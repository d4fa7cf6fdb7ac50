"""Cells of MySQL and MariaDB: dates, times and durations stay as the server writes them, bits are numbers."""

from collections.abc import Callable
from typing import Any

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions

_AS_WRITTEN = {
    FIELD_TYPE.TIMESTAMP,
    FIELD_TYPE.DATETIME,
    FIELD_TYPE.DATE,
    FIELD_TYPE.NEWDATE,
    FIELD_TYPE.TIME,
}
"""Python has no date 0000-00-00, no time that is negative or beyond a day, and loses a second's number of digits."""


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _computed_bits(value: bytes) -> int:
    return int(value) if value.isdigit() else _bits(value)


def _year(text: str) -> int | str:
    return text if text == "0000" else int(text)


CONVERSIONS: dict[Any, Callable[..., Any]] = {
    key: convert for key, convert in conversions.items() if key not in _AS_WRITTEN
} | {FIELD_TYPE.BIT: _bits, FIELD_TYPE.YEAR: _year}
"""Conversions by type of column; a type without one stays text."""


def read_computed_bits(result: Any) -> None:
    """Make the driver read computed bits, such as `MAX(bits)`, as digits: only plain columns come as bytes."""
    for place, field in enumerate(result.fields):
        if field.type_code == FIELD_TYPE.BIT and not field.org_name:
            result.converters[place] = (None, _computed_bits)
