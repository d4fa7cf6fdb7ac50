"""How LangGraph keeps values of the state: for one question only, and large ones once."""

from collections.abc import Sequence
from typing import Any

from langgraph.channels.delta import DeltaChannel
from langgraph.channels.last_value import LastValue
from typing_extensions import TypedDict

SNAPSHOT_EVERY = 16
"""Updates after which a checkpoint holds such a list whole, so that its readers look at few earlier checkpoints."""


class Begin(TypedDict):
    """An update that replaces a list of the state."""

    begin: list[Any]


BEGIN = Begin(begin=[])
"""The same for any value: it is gone."""


class OfOneQuestion(LastValue[Any]):
    """The value that was written last; `BEGIN` removes it."""

    def update(self, values: Sequence[Any]) -> bool:
        """Take the one value of a step; return whether anything changed."""
        if list(values) != [BEGIN]:
            return super().update(values)
        was_there = self.is_available()
        self.value = self.__class__(self.typ).value
        return was_there


def kept_once() -> DeltaChannel[list[Any]]:
    """A list that checkpointers store when it is written, and not again after each later step; `BEGIN` empties it."""
    return DeltaChannel(_newest, list, snapshot_frequency=SNAPSHOT_EVERY)


def _newest(_: Any, writes: Sequence[Any]) -> Any:
    return [] if writes[-1] == BEGIN else writes[-1]
