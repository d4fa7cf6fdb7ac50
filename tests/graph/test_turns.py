"""Strategies as data: the next turn by a state alone, bounds that count per turn, reasons that explain themselves."""

import inspect
from typing import Any

import pytest

from route_sql.graph.context import Context
from route_sql.graph.state import Attempt, State
from route_sql.graph.strategies import ADAPTIVE, PAPER, SINGLE, first_agents, next_agent
from route_sql.graph.threads.choices import choices_of
from route_sql.tools.database.outcome import failed

FAILED = failed("error", "no such column: nam")
OK: Any = {**FAILED, "status": "ok", "error": None, "digest": "1"}


def attempt(agent: str, outcome: Any = FAILED, complaint: str | None = "It fails.", tables: int = 1) -> Attempt:
    return Attempt(agent=agent, sql=f"SELECT {agent}", outcome=outcome, complaint=complaint, tables=tables)


def state(*tried: Attempt, calls: str = "", sampled: bool = True, **choices: Any) -> State:
    """A state after some attempts and calls, `calls` being names of nodes."""
    entries: Any = [{"node": node} for node in calls.split()]
    return State(choices=choices_of(Context(**choices), can_sample=sampled), attempts=[*tried], ledger=entries)


CHECKED: Any = {**attempt("draft"), "joins_checked": True}
ASKED = "draft link_schema generate correct_noise correct_noise continue_writing"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (state(), "link_schema"),
        (state(attempt("draft")), "complete_joins"),
        (state(CHECKED), "link_schema"),
        (state(CHECKED, without=("link_schema", "generate")), "correct_noise"),
        (state(attempt("draft", OK, None), calls="draft"), "generate"),
        (state(attempt("draft", OK, None), attempt("generate", OK, None), calls="draft generate"), "answer"),
        (state(CHECKED, calls="draft link_schema generate"), "correct_noise"),
        (state(CHECKED, calls="draft link_schema generate", max_corrections=0), "continue_writing"),
        (state(CHECKED, calls="draft link_schema generate correct_noise"), "continue_writing"),
        (state(CHECKED, calls=ASKED), "generate"),
        (state(CHECKED, calls=f"{ASKED} generate generate"), "generate"),
        (state(CHECKED, calls=f"{ASKED} generate generate generate"), "answer"),
        (state(CHECKED, calls=f"{ASKED} generate", max_samples=1), "answer"),
        (state(CHECKED, calls=ASKED, sampled=False), "answer"),
        (state(CHECKED, calls=ASKED, approve=True), "answer"),
        (state(CHECKED, calls=ASKED, without=("generate",)), "answer"),
        (state(strategy="paper"), "generate"),
        (state(strategy="paper", calls="generate"), "continue_writing"),
        (state(CHECKED, strategy="paper", calls="generate", max_corrections=0), "correct_noise"),
        (state(attempt("draft", OK), strategy="paper", calls="generate correct_noise"), "answer"),
        (state(attempt("draft", OK, tables=3), strategy="paper", calls="generate correct_noise"), "continue_writing"),
        (state(CHECKED, strategy="paper", calls="generate correct_noise continue_writing"), "answer"),
        (state(strategy="single"), "answer"),
    ],
)
def test_the_next_agent_by_the_state_alone(given: State, expected: str) -> None:
    assert next_agent(given) == expected


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, ["draft"]),
        ({"strategy": "paper"}, ["link_schema", "draft"]),
        ({"strategy": "paper", "without": ("draft",)}, ["link_schema"]),
        ({"strategy": "paper", "without": ("draft", "link_schema")}, ["generate"]),
        ({"without": ("draft",)}, ["generate"]),
        ({"strategy": "single", "without": ("generate",)}, ["generate"]),
    ],
)
def test_the_first_agents(choices: dict[str, Any], expected: list[str]) -> None:
    assert first_agents(state(**choices)) == expected


@pytest.mark.parametrize("turn", [*SINGLE, *PAPER, *ADAPTIVE], ids=lambda turn: f"{turn.agent}-{turn.when.__name__}")
def test_a_reason_takes_the_state_and_is_one_sentence(turn: Any) -> None:
    assert list(inspect.signature(turn.when).parameters) == ["state"]
    lines = turn.when.__doc__.splitlines()
    assert len(lines) == 1 and lines[0].endswith(".")
    if isinstance(turn.at_most, str):
        assert isinstance(getattr(Context(), turn.at_most), int)
