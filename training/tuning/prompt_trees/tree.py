"""Rows that share the beginning of their prompts, as one tree of tokens: shared tokens are computed once.

A database's questions share its schema, and the tasks of a question share the question, so most tokens of a training
set are copies. A pack holds the tree's branches one after the other, and each token keeps its position in its own row.
Where a position is not the one before it plus one, a new branch leaves the last path at that position. So the positions
alone define the tree, and a token attends to the path that leads to it, as if its row were alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from route_sql.training.tuning.conversation_tokens import IGNORED


class Encoded(NamedTuple):
    """Token ids and labels of a row."""

    ids: list[int]
    labels: list[int]


class PackSpan(NamedTuple):
    """A part of a pack, from token `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Branch:
    """Tokens of a pack that follow each other in a row, and the spans, in order, that lead to them."""

    own: PackSpan
    before: tuple[PackSpan, ...]


def pack_trees(rows: Iterable[Encoded], most: int) -> Iterator[dict[str, list[int]]]:
    """Packs of `input_ids`, `labels` and `position_ids`; consecutive rows share their common beginning.

    A row's reply and the last token of its prompt are never shared, so that the next token in the pack is the label of
    each learned token.

    Args:
        rows: The rows, in an order that brings similar prompts together.
        most: The most tokens of a pack; a longer row has a pack of its own.
    """
    pack = _empty()
    before: Sequence[int] = ()
    for row in rows:
        shared = _shared(row, before)
        if pack["input_ids"] and len(pack["input_ids"]) + len(row.ids) - shared > most:
            yield pack
            pack, shared = _empty(), 0
        pack["input_ids"] += row.ids[shared:]
        pack["labels"] += row.labels[shared:]
        pack["position_ids"] += range(shared, len(row.ids))
        before = row.ids
    if pack["input_ids"]:
        yield pack


def branches(positions: Sequence[int]) -> list[Branch]:
    """The branches of a pack, in its order, from its position ids."""
    starts = [place for place, position in enumerate(positions) if place == 0 or position != positions[place - 1] + 1]
    found: list[Branch] = []
    path: list[PackSpan] = []
    for start, end in zip(starts, [*starts[1:], len(positions)], strict=True):
        path = list(_up_to(path, positions[start]))
        found.append(Branch(PackSpan(start, end), tuple(path)))
        path.append(PackSpan(start, end))
    return found


def _shared(row: Encoded, before: Sequence[int]) -> int:
    learned = next((place for place, label in enumerate(row.labels) if label != IGNORED), len(row.labels))
    most = max(0, min(learned - 1, len(before)))
    return next((place for place in range(most) if row.ids[place] != before[place]), most)


def _up_to(path: Sequence[PackSpan], position: int) -> Iterator[PackSpan]:
    """The first `position` tokens of a path."""
    left = position
    for span in path:
        if left <= 0:
            return
        yield PackSpan(span.start, min(span.end, span.start + left))
        left -= span.end - span.start


def _empty() -> dict[str, Any]:
    return {"input_ids": [], "labels": [], "position_ids": []}
