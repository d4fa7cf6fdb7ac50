"""The path that a run took through the graph, as a picture: a lane for each node, steps from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from route_sql.graph.selection import attempts
from route_sql.graph.state import Attempt, LedgerEntry, State
from route_sql.graph.watching.doubts import AGENTS
from route_sql.tools.database.outcome import ran

LANES = (
    "ground",
    "link_schema",
    "draft",
    "generate",
    "complete_joins",
    "correct_noise",
    "continue_writing",
    "sample",
    "execute",
    "answer",
)
LEFT, STEP, LANE, TOP = 150, 64, 38, 30
StopKind = Literal["good", "warn", "bad", ""]


@dataclass(frozen=True)
class Step:
    """One step of a run: its node, how it ended, and its place in the picture."""

    node: str
    text: str
    mark: str = ""
    kind: StopKind = ""
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class LaneOfPicture:
    """The lane of a node."""

    node: str
    y: int
    is_visited: bool


@dataclass(frozen=True)
class PathPicture:
    """Everything that the picture's template needs."""

    width: int
    height: int
    left: int
    lanes: list[LaneOfPicture]
    steps: list[Step]
    points: str
    summary: str


def path_picture(state: State) -> PathPicture:
    """The picture of a run's path."""
    path = steps_of(state)
    nodes = dict.fromkeys([*LANES[:-1], *(step.node for step in path), LANES[-1]])  # the caller's own have lanes too
    rows = {node: TOP + place * LANE for place, node in enumerate(nodes)}
    steps = [
        Step(step.node, step.text, step.mark, step.kind, LEFT + STEP // 2 + place * STEP, rows[step.node])
        for place, step in enumerate(path)
    ]
    visited = {step.node for step in steps}
    return PathPicture(
        width=LEFT + STEP * len(steps),
        height=TOP + LANE * len(rows) - LANE // 2,
        left=LEFT,
        lanes=[LaneOfPicture(node, y, node in visited) for node, y in rows.items()],
        steps=steps,
        points=" ".join(f"{step.x},{step.y}" for step in steps),
        summary=" → ".join(step.node for step in steps),
    )


def steps_of(state: State) -> list[Step]:
    """The steps of a run in order, from its calls and its candidates."""
    calls = state.get("ledger", [])
    steps, done = [Step("ground", "notes on the question, and the part of the schema that is shown")], 0
    tried = attempts(state)
    for place, attempt in enumerate(tried):
        asked = calls[done : attempt.get("calls", done + 1)]
        done += len(asked)
        steps += map(_asked, asked)
        steps += _tried(attempt, is_written=attempt["agent"] in [call["node"] for call in asked])
        following = tried[place + 1]["agent"] if place + 1 < len(tried) else ""
        if attempt.get("joins_checked") and following != "complete_joins":
            steps.append(Step("complete_joins", "the joins stay as they are"))
    steps += map(_asked, calls[done:])
    return [*steps, Step("answer", "the answer")] if "status" in state else steps


def outcome_kind(attempt: Attempt) -> StopKind:
    """Whether a candidate failed, is doubted, or has no complaint."""
    if not ran(attempt["outcome"]):
        return "bad"
    return "warn" if attempt["complaint"] else "good"


def outcome_words(attempt: Attempt) -> str:
    """End of a candidate, in a few words."""
    outcome = attempt["outcome"]
    if not ran(outcome):
        return outcome["status"]
    more = "+" if outcome["truncated"] else ""
    return f"{outcome['row_count']}{more} row{'' if outcome['row_count'] == 1 else 's'}"


def _asked(call: LedgerEntry) -> Step:
    return Step(call["node"], f"asked the model: {call['completion_tokens']} tokens in {call['seconds']} s")


def _tried(attempt: Attempt, *, is_written: bool) -> Iterator[Step]:
    """The steps of a candidate; one that no call of the model wrote, such as repaired joins, has a step of its own."""
    name = AGENTS.get(attempt["agent"], attempt["agent"])
    if not is_written and not attempt.get("sampled") and attempt["agent"] in LANES:
        yield Step(attempt["agent"], name)
    text = f"{name}: {attempt['outcome']['error'] or outcome_words(attempt)}"
    yield Step("execute", text, outcome_words(attempt), outcome_kind(attempt))
