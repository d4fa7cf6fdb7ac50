"""Channels of the state: values that last for one question only, and large values that are stored once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.channels.delta import DeltaChannel
from langgraph.channels.last_value import LastValue
from typing_extensions import TypedDict

from route_sql.tools.errors import InvalidInput

SNAPSHOT_EVERY = 16
"""Number of updates after which a checkpoint holds the whole list, so that readers need few earlier checkpoints."""


class Begin(TypedDict):
    """An update that replaces a list of the state."""

    begin: list[Any]


class Change(TypedDict):
    """An update that sets keys of one entry of a list of the state."""

    at: int
    """Place of the entry, counted from 0."""
    set: dict[str, Any]


BEGIN = Begin(begin=[])
"""An update that removes a value of any kind."""


class OfOneQuestion(LastValue[Any]):
    """The value that was written last; `BEGIN` removes it."""

    def update(self, values: Sequence[Any]) -> bool:
        """Take the value of a step; return whether anything changed.

        Nodes side by side may write the same value, as they do with narrower rights. A value counts more than `BEGIN`.
        """
        different: list[Any] = []
        for value in values:
            if value != BEGIN and value not in different:
                different.append(value)
        if different or not values:
            return super().update(different)
        was_there = self.is_available()
        self.value = self.__class__(self.typ).value
        return was_there


def kept_once() -> DeltaChannel[list[Any]]:
    """A list that checkpointers store once, when it is written, and not after each later step; `BEGIN` empties it."""
    return DeltaChannel(_newest, list, snapshot_frequency=SNAPSHOT_EVERY)


def _newest(_: Any, writes: Sequence[Any]) -> Any:
    return [] if writes[-1] == BEGIN else writes[-1]


@dataclass(frozen=True)
class Extended:
    """The reducer of a list of the state: a node's update makes it longer, replaces it, or changes one entry."""

    key: str
    """The list's key."""

    @property
    def __name__(self) -> str:
        """The reducer's name; LangGraph compares the reducers of two schemas by it."""
        return f"extended_{self.key}"

    def __call__(self, known: list[Any], update: list[Any] | Begin | Change) -> list[Any]:
        """The list after an update.

        Raises:
            InvalidInput: the update has none of the three forms.
        """
        match update:
            case list():
                return [*known, *update]
            case {"begin": [*entries], **rest} if not rest:
                return entries
            case {"at": int(at), "set": dict(changes), **rest} if not rest and self._is_entry(known, at):
                return [*known[:at], {**known[at], **changes}, *known[at + 1 :]]
        raise InvalidInput(
            f"{self.key} in the state, a list, is updated by a list (it is appended), by {{'begin': [...]}} (it "
            f"replaces) or by {{'at': 0, 'set': {{...}}}} (it changes one entry), not by {update!r:.100}"
        )

    def _is_entry(self, known: list[Any], at: int) -> bool:
        return 0 <= at < len(known) and isinstance(known[at], dict)


def longer_time(known: float, update: float | Begin) -> float:
    """The seconds that a question has taken after a node's update: of nodes side by side, the longer time.

    Raises:
        InvalidInput: the update is not a number.
    """
    match update:
        case {"begin": [] | [int() | float()] as seconds, **rest} if not rest:
            return float(sum(seconds))
        case int() | float() if not isinstance(update, bool):
            return max(known, update)
    raise InvalidInput(f"spent in the state is updated by a number of seconds, not by {update!r:.100}")
