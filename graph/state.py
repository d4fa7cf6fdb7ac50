"""The state of one question: what goes in, what comes out, what the agents hand on. JSON-plain to the last field."""

from typing import Annotated, Any, NotRequired

from langgraph.channels.ephemeral_value import EphemeralValue
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from route_sql.tools.database.outcome import Cell, Outcome, Status
from route_sql.tools.schema.records import Link

Evidence = Annotated[str, EphemeralValue(str)]
"""Gone after a run's first step: what LangGraph keeps of a thread's input, its next question would come with."""


class Begin(TypedDict):
    """An update with which a list of the state begins again, in plain JSON."""

    begin: list[Any]


def extended(known: list[Any], update: "list[Any] | Begin") -> list[Any]:
    """A list of the state after a node's update: longer, or begun again."""
    return list(update["begin"]) if isinstance(update, dict) else [*known, *update]


class Choices(TypedDict):
    """Choices of the caller that hold from the run's start to its end, whatever context it is resumed with."""

    approve: bool
    """Whether a person is asked before each query."""
    rights: dict[str, Any]
    """Rights of the caller: `Visibility.as_json`."""


class Question(TypedDict):
    """A question about one database."""

    question: str
    """The question, in words."""
    database: str
    """The database's name in the catalog; never a URL."""
    evidence: NotRequired[str]
    """What a reader must know beside the schema, such as a formula or what a code means."""


class QuestionArguments(BaseModel):
    """The same for tools and forms made of the graph: `as_tool` takes no optional key of a `TypedDict` for optional."""

    question: str = Field(description="The question, in words.")
    database: str = Field(description="The database's name in the catalog.")
    evidence: str = Field(default="", description="Facts that the question needs, such as a formula or a code.")


class Candidate(TypedDict):
    """One SQL that an agent proposed, and what became of it."""

    agent: str
    sql: str
    status: Status
    error: str | None
    row_count: int
    seconds: float


class LedgerEntry(TypedDict):
    """Cost of one model call, in the server's tokens."""

    node: str
    prompt_tokens: int
    cached_tokens: int | None
    """Tokens of the prompt that were not computed again; None where the server doesn't say."""
    completion_tokens: int
    seconds: float
    finish_reason: NotRequired[str | None]
    """Why the reply ended: `length` if it was cut at its limit of tokens; None where the server doesn't say."""


class Answer(TypedDict):
    """The SQL that was chosen, what it returned, and how it came about."""

    sql: str | None
    """None if no agent wrote SQL that could be read."""
    status: Status
    columns: list[str]
    rows: list[list[Cell]]
    row_count: int
    truncated: bool
    error: str | None
    notes: list[str]
    """What the reader should know: that the schema was cut, say, or that the database's role may write."""
    candidates: list[Candidate]
    """Every candidate, in the order in which they were executed."""
    ledger: list[LedgerEntry]
    """One entry a model call."""


class Proposal(TypedDict):
    """SQL that an agent has just written and that `execute` has not run yet."""

    agent: str
    sql: str


class State(TypedDict, total=False):
    """Everything the nodes share; each node returns only what it changes."""

    question: str
    database: str
    evidence: Evidence
    choices: Choices
    """Choices of the caller for this question; `ground` puts them here."""
    hint: str
    """The question's evidence, which `ground` puts here for the nodes after it."""
    grounding: list[str]
    """Notes of the context tools (matched values, glossary): untrusted text."""
    shown: Link | None
    """The part of the schema that the prompts show; None if that is all of it."""
    can_sample: bool
    """Whether the model can be asked at a temperature."""
    link: Link
    """The schema linker's link; absent until it ran."""
    draft_link: Link
    """What the draft uses, and where the columns are that it took from tables without them."""
    proposal: Proposal | None
    """The newest candidate, until `execute` has run it."""
    candidates: Annotated[list[Candidate], extended]
    outcomes: Annotated[list[Outcome], extended]
    """The outcome of each candidate, index by index."""
    complaints: Annotated[list[str | None], extended]
    """Why each candidate should be doubted, index by index; None where there is no reason."""
    joins_seen: int
    """How many candidates `complete_joins` has seen."""
    hard: bool
    """Whether the newest candidate joins so many tables that the published strategy has it written again."""
    ledger: Annotated[list[LedgerEntry], extended]
    notes: Annotated[list[str], extended]
    sql: str | None
    status: Status
    columns: list[str]
    rows: list[list[Cell]]
    row_count: int
    truncated: bool
    error: str | None


def calls_of(node: str, state: State) -> int:
    """How often a node has asked the model."""
    return sum(entry["node"] == node for entry in state.get("ledger", []))
