"""Reading a schema in a process that may end on the way: then again, without the view or table at which it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from route_sql.tools.database.running.child_loop import ChildMessage
from route_sql.tools.database.running.query import Query
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.plain import from_plain
from route_sql.tools.schema.records import Schema

EVERY_VIEW = "view"
EVERY_SAMPLE = "rows"
"""Places stand for a view that is tried or for rows that are read; without a name they stand for all of these."""
MOST_ENDED = 2
"""Number of processes that may end, each at another view or table; then all samples are skipped, next all views."""

REFLECT_SECONDS = 10.0
"""Seconds of processor time for the first try; by the clock, that all tries but the last take together."""
UNSAMPLED_SECONDS = 5.0
"""Seconds that the try without samples has at least."""
LAST_SECONDS = 15.0
"""Seconds that the try without views and samples may take."""

BUSY_FACTOR = 6.0
"""Seconds by the clock for each second of processor time that a try may take: other programs may need the machine."""

Try = Callable[[list[str], Callable[[str], None], float], ChildMessage]
"""Reads the schema without the skipped places, reports each place, and ends after this much processor time."""


class ReflectionStopped(DatabaseUnavailable):
    """The query that needed the schema was stopped."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"{path}: reading its schema was stopped")


@dataclass(frozen=True)
class Reflected:
    """A schema, and the parts that were left out of it."""

    schema: Schema
    left_out: int
    """Views that cost too much to compile."""
    broken: int
    """Views that can't be compiled."""
    unsampled: int
    """Tables and views whose sample values cost too much."""
    stand_ins: tuple[str, ...]
    """Collations that only the program which wrote the file has."""

    def warnings(self, name: str) -> tuple[str, ...]:
        """Sentences on what the schema lacks; names are left out, since not every caller may see them."""
        costs = "because reading them costs too much time or memory"
        said = (
            (self.left_out, f"views of the database {name} are left out of its schema, {costs}"),
            (self.broken, f"views of the database {name} are left out of its schema, because SQLite can't read them"),
            (self.unsampled, f"tables or views of the database {name} have no sample values, {costs}"),
        )
        return tuple(f"{count} {text}." for count, text in said if count)


def read_skipping(path: Path, query: Query, attempt: Try) -> Reflected:
    """The schema.

    Raises:
        DatabaseUnavailable: it can't be read, or not even without views and samples, or the query was stopped.
    """
    skipped: list[str] = []
    ends = monotonic() + REFLECT_SECONDS
    while not query.is_stopped:
        places: list[str] = []
        is_last = EVERY_VIEW in skipped
        left = max(ends - monotonic(), UNSAMPLED_SECONDS if EVERY_SAMPLE in skipped else 0.1)
        answer = attempt(skipped, places.append, LAST_SECONDS if is_last else left)
        if "schema" in answer:
            return _reflected(answer)
        if is_last and not query.is_stopped:
            raise DatabaseUnavailable(f"{path}: reading its schema takes too much time or memory")
        skipped = _more(skipped, places[-1] if places else "", is_late=monotonic() > ends)
    raise ReflectionStopped(path)


def _more(skipped: list[str], place: str, *, is_late: bool) -> list[str]:
    is_sample = place.startswith(f"{EVERY_SAMPLE} ")
    is_step = is_sample or place.startswith(f"{EVERY_VIEW} ")
    if EVERY_SAMPLE in skipped or not is_step or is_late and not is_sample:
        return [EVERY_VIEW, EVERY_SAMPLE]
    if is_late or len(skipped) >= MOST_ENDED - 1:
        return [*skipped, place, EVERY_SAMPLE]
    return [*skipped, place]


def _reflected(answer: ChildMessage) -> Reflected:
    schema = from_plain(answer["schema"])
    return Reflected(schema, answer["left_out"], answer["broken"], answer["unsampled"], tuple(answer["stand_ins"]))
