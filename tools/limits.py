"""The bounds of a query."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one query; every query has bounds."""

    seconds: float = 10.0
    """Deadline; the engine stops the query when it passes."""
    rows: int = 1_000
    cell_chars: int = 1_000
    result_bytes: int = 1_000_000
    memory_bytes: int = 256_000_000
