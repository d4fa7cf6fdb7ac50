"""Sentences of the story: the text of each node's events, made from the state and the node's update."""

from collections.abc import Mapping
from typing import Any, cast

from route_sql.graph.calls.budget import is_out_of_time
from route_sql.graph.events import Story
from route_sql.graph.fields.proposals import Samples
from route_sql.graph.selection import attempts, count_votes, leading, voted_for
from route_sql.graph.state import Attempt, State
from route_sql.graph.strategies import next_agent
from route_sql.graph.watching.doubts import AGENTS
from route_sql.tools.database.outcome import ran

RUNS_BUT = "The query runs, but "
BEGINNINGS = {
    "ground": "reading the database",
    "link_schema": "asking which tables the question needs",
    "draft": "writing a draft",
    "generate": "writing a query",
    "complete_joins": "repairing the joins along the keys",
    "correct_noise": "asking whether the query is right",
    "continue_writing": "continuing the query from its valid part",
    "sample": "drawing samples, which vote on the answer",
    "answer": "choosing the answer",
}
WITHOUT_SQL = {
    "draft": "the reply holds no SQL",
    "generate": "the reply holds no new SQL",
    "complete_joins": "the joins stay as they are",
    "correct_noise": "no correction",
    "continue_writing": "the reply holds no new SQL",
}
STOPPED = "stopped, since the time for the question is over"
NEXT = {
    "complete_joins": "repairing its joins",
    "link_schema": "asking which tables it needs",
    "generate": "asking for a second opinion",
    "correct_noise": "asking whether it is right",
    "continue_writing": "continuing it from its valid part",
    "sample": "drawing samples, since no two queries agree",
}


def beginning(node: str, state: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text with which a node begins, and the SQL that it is about."""
    proposal = state.get("proposal")
    if node == "execute" and not proposal and state.get("samples"):
        return "running the samples", None
    if node == "execute" and proposal:
        doing = "asking a person to approve" if state["choices"]["approve"] else "running"
        return f"{doing} {_named(proposal['agent'], state)}", proposal["sql"]
    if node == "generate" and state.get("attempts"):
        return "writing a second opinion", None
    return BEGINNINGS.get(node, f"running {node}"), None


def tell_ending(story: Story, node: str, state: Mapping[str, Any], update: Mapping[str, Any]) -> None:
    """Emit how a node ended, unless the node reported it itself or did nothing."""
    if node == "ground" and (notes := update.get("context_notes")):
        story.say("note", f"found {_count(len(notes), 'note')} on the question")
    elif node == "sample" and (samples := update.get("samples")):
        story.say("write", _drawn(samples))
    elif node == "execute" and update.get("samples"):
        story.say("result", _vote(_after(state, update)))
    elif node == "execute" and (new := _new_attempt(update)):
        story.say("result", _result(new, state, update), new["sql"])
    elif node == "answer":
        story.say("answer", _answer(update), update["sql"])
    elif node in WITHOUT_SQL:
        proposal = update.get("proposal")
        without = STOPPED if _is_stopped(state, update) else WITHOUT_SQL[node]
        text = f"wrote {_named(node, state)}" if proposal else without
        story.say("write", text, proposal["sql"] if proposal else None)


def _is_stopped(state: Mapping[str, Any], update: Mapping[str, Any]) -> bool:
    """Whether the time of the question ended before the agent did; then it has only spent the time."""
    return update.keys() == {"spent"} and is_out_of_time(cast(State, {**state, **update}))


def _result(new: Attempt, state: Mapping[str, Any], update: Mapping[str, Any]) -> str:
    """Sentence on the end of a query, and on the next agent."""
    text = how_it_ended(new, _named(new["agent"], state))
    following = NEXT.get(next_agent(_after(state, update)))
    return f"{text}; {following}" if following else text


def _after(state: Mapping[str, Any], update: Mapping[str, Any]) -> State:
    """The state after an execution."""
    return cast(State, {**state, **update, "attempts": [*attempts(cast(State, state)), *update["attempts"]]})


def how_it_ended(new: Attempt, name: str) -> str:
    """Sentence on the end of a candidate's query."""
    outcome = new["outcome"]
    if not ran(outcome):
        return f"{name} failed: {(outcome['error'] or outcome['status']).rstrip('.')}"
    more = "more than " if outcome["truncated"] else ""
    text = f"{name} returned {more}{_count(outcome['row_count'], 'row')}"
    is_doubted = outcome["row_count"] and new["complaint"]
    return f"{text} but is doubted: {str(new['complaint']).removeprefix(RUNS_BUT).rstrip('.')}" if is_doubted else text


def _vote(state: State) -> str:
    """Sentence on the votes of the samples."""
    first, samples = leading(state), state.get("samples")
    drawn = len(samples["drawn"]) if samples else 0
    if first is None or not voted_for(state):
        return f"none of {_count(drawn, 'sample')} ran"
    same = count_votes(first, state)
    return f"{same} of {_count(drawn, 'sample')} returned {_count(first['outcome']['row_count'], 'row')}"


def _drawn(samples: Samples) -> str:
    """Sentence on the number of samples and their different queries."""
    different = {sample["sql"] for sample in samples["drawn"]} - {None}
    return f"drew {_count(len(samples['drawn']), 'sample')}, {len(different)} of them different"


def _answer(update: Mapping[str, Any]) -> str:
    if update["sql"] is None or update["error"]:
        return f"no answer: {str(update['error']).rstrip('.')}"
    return f"answered with {_count(update['row_count'], 'row')}, confidence {update['confidence']:.2f}"


def _named(agent: str, state: Mapping[str, Any]) -> str:
    """A candidate's name, by the agent that writes it; the generator's is a second opinion only after another one."""
    is_first = agent == "generate" and not state.get("attempts")
    return "the query" if is_first else AGENTS.get(agent, agent)


def _new_attempt(update: Mapping[str, Any]) -> Attempt | None:
    new = update.get("attempts")
    return cast(Attempt, new[-1]) if isinstance(new, list) and new else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
