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
"""Python has no date 0000-00-00, no time beyond a day with a sign, and drops how many digits a second has."""


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


CONVERSIONS: dict[Any, Callable[..., Any]] = {
    key: convert for key, convert in conversions.items() if key not in _AS_WRITTEN
} | {FIELD_TYPE.BIT: _bits}
"""What the driver makes of each type of column; what is missing stays text."""
