"""Shards: the questions of a run in equal parts, so that several machines can ask them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from route_sql.tools.errors import RouteError
from route_sql.training.errors import DatasetError

T = TypeVar("T")
_WRITTEN = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One part of the questions."""

    number: int
    """From 1 to `count`."""
    count: int

    def __str__(self) -> str:
        """The shard as it is written, such as `2/4`."""
        return f"{self.number}/{self.count}"

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """The shard's items, which are neighbours: questions on one database share a prefix cache.

        Raises:
            DatasetError: there are fewer items than shards.
        """
        if len(items) < self.count:
            raise DatasetError(f"{len(items)} questions can't be cut into {self.count} shards; take fewer shards")
        return items[len(items) * (self.number - 1) // self.count : len(items) * self.number // self.count]


def read_shard(text: str) -> Shard:
    """The shard that is written as `i/n`.

    Raises:
        DatasetError: it is not of that form.
    """
    match = _WRITTEN.fullmatch(text.strip())
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or not 1 <= shard.number <= shard.count:
        raise DatasetError(f"{text[:40]!r} is not a shard; write 2/4 for the second of four")
    return shard


def unlike(first: Shard, other: Shard) -> list[str]:
    """A sentence that two shards are of runs with different numbers of shards; empty if they are not."""
    return [] if first.count == other.count else [f"{first} and {other} are not of the same number of shards"]


def check_each_once(shards: Sequence[Shard], error: type[RouteError]) -> None:
    """Refuse a merge in which a shard is missing or given twice.

    Raises:
        RouteError: one is; it is raised as `error`.
    """
    there = Counter(shard.number for shard in shards)
    missing = [f"{number}/{shards[0].count}" for number in range(1, shards[0].count + 1) if number not in there]
    twice = [f"{number}/{shards[0].count}" for number, times in there.items() if times > 1]
    if missing or twice:
        wrong = [f"missing: {', '.join(missing[:10])}"] * bool(missing) + [f"twice: {', '.join(twice)}"] * bool(twice)
        raise error(f"each shard must be there once; {'; '.join(wrong)}")
