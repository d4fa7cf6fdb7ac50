"""The bounds of a query."""

from dataclasses import dataclass, fields
from math import inf

from route_sql.tools.errors import InvalidInput


@dataclass(frozen=True)
class Limits:
    """Bounds of one query; every query has bounds.

    Raises:
        InvalidInput: a bound is not above 0, or has no end.
    """

    seconds: float = 10.0
    """Deadline; the engine stops the query when it passes."""
    rows: int = 1_000
    cell_chars: int = 1_000
    result_bytes: int = 1_000_000
    memory_bytes: int = 256_000_000

    def __post_init__(self) -> None:
        """Check the bounds: no time is later than a deadline that is not a number."""
        for bound in fields(self):
            value = getattr(self, bound.name)
            if not 0 < value < inf:
                raise InvalidInput(f"{bound.name} of a query must be a number above 0, not {value}")
