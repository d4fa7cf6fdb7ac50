"""The state of one question: the question, the choices of the run, one list of attempts, and the answer. Plain JSON."""

from typing import Annotated, Any, Literal, NotRequired

from langgraph.channels.ephemeral_value import EphemeralValue
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from route_sql.graph.decisions import Decision, Point
from route_sql.tools.database.outcome import Cell, Outcome, Status
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.records import Link

VERSION = 2
"""Version of the state's keys; a checkpoint carries it."""

AnswerStatus = Status | Literal["unsure", "unanswerable"]
"""Status of an answer: that of its query; `unsure` with a confidence below `Context.min_confidence`; `unanswerable` if
the database can't answer the question."""
AnswerKind = Literal["alone", "compared"]
"""Whether a candidate is the only one that the model wrote, or one of several."""

Evidence = Annotated[str, EphemeralValue(str)]
"""Gone after a run's first step, so that evidence does not reach the thread's next question."""


class Begin(TypedDict):
    """An update that replaces a list of the state."""

    begin: list[Any]


class Change(TypedDict):
    """An update that sets keys of one entry of a list of the state."""

    at: int
    """Place of the entry, counted from 0."""
    set: dict[str, Any]


def extended(known: list[Any], update: "list[Any] | Begin | Change") -> list[Any]:
    """A list of the state after a node's update: longer, replaced, or with one entry changed.

    Raises:
        InvalidInput: the update has none of the three forms.
    """
    match update:
        case list():
            return [*known, *update]
        case {"begin": [*entries], **rest} if not rest:
            return entries
        case {"at": int(at), "set": dict(changes), **rest} if not rest and 0 <= at < len(known):
            return [*known[:at], {**known[at], **changes}, *known[at + 1 :]]
    raise InvalidInput(
        "a list of the state is updated by a list (it is appended), by {'begin': [...]} (it replaces) or by "
        f"{{'at': 0, 'set': {{...}}}} (it changes one entry), not by {update!r}"
    )


def later(known: float, update: float | Begin) -> float:
    """The seconds that a question has taken after a node's update: of nodes side by side, the longer time."""
    return float(update["begin"][0]) if isinstance(update, dict) else max(known, update)


class Choices(TypedDict):
    """The caller's choices of one run, as it began with them; see `Context`."""

    strategy: str
    """Name of the strategy."""
    without: list[str]
    """Agents that are switched off."""
    dialect: str | None
    """sqlglot's name of the SQL dialect; None for the database's own."""
    row_limit: int | None
    """Rows that the answer holds at most; None for the database's own limit."""
    deadline: float | None
    """Seconds that a query may run; None for the database's own limit."""
    seconds: float | None
    """Seconds that the whole question may take; None for no limit."""
    schema_chars: int
    """Characters of schema that a prompt may hold."""
    max_corrections: int
    """Calls of the noise corrector at most."""
    max_continuations: int
    """Calls of the continuation writer at most."""
    max_samples: int
    """Calls of the generator at a temperature at most, while no candidate runs."""
    max_tokens: int | None
    """Tokens of a reply at most; None for the model's own limit."""
    withhold: float | None
    """Probability that the question can't be answered from which no SQL is given; None always gives SQL."""
    enough: float
    """Confidence from which no other agent is asked; 1 if all are asked for their reasons."""
    min_confidence: float
    """Confidence below which the answer is `unsure`."""
    approve: bool
    """Whether a person is asked before each query."""
    after_rejection: str
    """Who acts after a person rejected a query: `answer` or `correct_noise`."""
    clarify: bool
    """Whether a person is asked about unclear words and unsure answers."""
    rights: dict[str, Any]
    """Rights of the caller: `Visibility.as_json`."""
    asked_by: str | None
    """The caller's name in the audit."""
    keep_prompts: bool
    """Whether the state keeps each prompt and reply."""
    can_sample: bool
    """Whether the model can be asked at a temperature."""


class Question(TypedDict):
    """A question about one database."""

    question: str
    """The question, in words."""
    database: str
    """The database's name in the catalog; never a URL."""
    evidence: NotRequired[str]
    """Facts that the question needs besides the schema, such as a formula or the meaning of a code."""


class QuestionArguments(BaseModel):
    """A question about one database."""

    # The form and the tool made of the graph: `as_tool` treats an optional key of a `TypedDict` as required.
    question: str = Field(description="The question, in words.")
    database: str = Field(description="The database's name in the catalog.")
    evidence: str = Field(default="", description="Facts that the question needs, such as a formula or a code.")


class Candidate(TypedDict):
    """One SQL that an agent proposed, and how it ran, as the answer lists it."""

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


class PromptMessage(TypedDict):
    """One message of a prompt."""

    role: str
    """LangChain's word: `system`, `human` or `ai`."""
    content: str


class Exchange(TypedDict):
    """One prompt and its reply. Prompts may hold cells of the database."""

    node: str
    messages: list[PromptMessage]
    reply: str
    sample: int | None
    """Number of the sample; None for a call with the model's own settings."""
    finish_reason: str | None
    logprobs: list[float]
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    seconds: float


class Answer(TypedDict):
    """The SQL that was chosen, its result, and the candidates and calls that led to it."""

    sql: str | None
    """None if no agent wrote SQL that could be read."""
    status: AnswerStatus
    confidence: float
    """How sure it is that the answer is right, 0 to 1; 0 for an answer that did not run."""
    calibrated: bool
    """Whether the confidence is a probability; False if it only orders answers, since the model has no calibration."""
    doubts: list[str]
    """Reasons to doubt the answer, one short sentence each."""
    columns: list[str]
    rows: list[list[Cell]]
    row_count: int
    truncated: bool
    error: str | None
    """The error of the query, or the reason for which there is none."""
    notes: list[str]
    """Remarks for the reader, such as that the schema was cut, or that the database's role may write."""
    candidates: list[Candidate]
    """Every candidate, in the order in which they were executed."""
    ledger: list[LedgerEntry]
    """One entry a model call."""


class TokenScores(TypedDict):
    """Log-probabilities (natural logarithms) of the tokens of a reply."""

    total: float
    """Their sum: the log-probability of the whole reply."""
    lowest: float
    """That of the least likely token."""


class NoAnswer(TypedDict):
    """How likely it is that the database can't answer the question."""

    declined: bool
    """Whether the model gave a reason in place of SQL."""
    irrelevant: bool
    """Whether no word of the question names anything in the database; for models that learned no such reply."""
    reason: str
    """The reason, such as `no column for salary`."""
    signals: dict[str, float]
    """The numbers that the probability was made of."""
    probability: float
    """Probability that there is no answer, 0 to 1."""


class Proposal(TypedDict):
    """SQL that an agent has just written and that `execute` has not run yet."""

    agent: str
    sql: str
    scores: NotRequired[TokenScores | None]
    """Scores of the reply; None where the server gives none."""


class Assessment(TypedDict):
    """How sure the leading candidate is, and why."""

    sql: str
    """The candidate's SQL."""
    kind: AnswerKind
    """Whether there was a second opinion."""
    signals: dict[str, float]
    """The numbers that the confidence was made of."""
    confidence: float
    """Probability that the candidate is right, 0 to 1."""
    calibrated: bool
    """False if the model has no calibration: then the confidence only orders answers."""


class Attempt(TypedDict):
    """A candidate that was executed: its SQL, its outcome, and the reason to doubt it."""

    agent: str
    """The agent that proposed it."""
    sql: str
    """The SQL as it was run, in the database's dialect."""
    outcome: Outcome
    """The outcome; its rows are cut to the run's limit."""
    complaint: str | None
    """The reason to doubt it, in one sentence; None if there is none."""
    tables: int
    """Number of tables that it reads."""
    repaired: NotRequired[str | None]
    """The same SQL with repaired joins, found when the joins of a candidate with rows were doubted."""
    scores: NotRequired[TokenScores | None]
    """Scores of the reply that it was read from; None where the server gives none."""
    calls: NotRequired[int]
    """Number of model calls before it ran."""
    joins_checked: NotRequired[bool]
    """Whether `complete_joins` has looked at it."""
    decision: NotRequired[Decision]
    """A person's decision about it, if there is one."""
    corrected: NotRequired[bool]
    """Whether the noise corrector has read why a person rejected it."""


class State(TypedDict, total=False):
    """Everything the nodes share; each node returns only its changes."""

    version: int
    """Version of these keys."""
    question: str
    """The question, in words."""
    database: str
    """The database's name in the catalog."""
    evidence: Evidence
    """The question's evidence, until `ground` has run."""
    began: float
    """Time at which the question was asked, in seconds since 1970."""
    traceparent: str | None
    """The run's span as W3C writes it; None where nothing is recorded."""
    choices: Choices
    """The run's choices, which `ground` writes here and routers read."""
    question_evidence: str
    """The question's evidence, for the nodes after `ground`."""
    context_notes: list[str]
    """Notes of the context tools (matched values, glossary): untrusted text."""
    shown_schema: Link | None
    """The part of the schema that the prompts show; None if that is all of it."""
    unclear: list[Point]
    """Open points, which a person is asked about before any other agent acts."""
    asked_back: bool
    """Whether a person was asked about an unsure answer, which happens once."""
    linked: Link
    """Tables and columns named by the schema linker; empty until it ran."""
    drafted: Link
    """Tables and columns used by the draft, and the real tables of columns it misplaced."""
    spent: Annotated[float, later]
    """Seconds that the nodes of a question with a time budget (`Context.seconds`) have taken."""
    proposal: Proposal | None
    """The newest candidate, until `execute` has run it."""
    assessment: Assessment | None
    """How sure the leading candidate is; None before the first one."""
    no_answer: NoAnswer | None
    """How likely it is that there is no answer; None before the first reply."""
    attempts: Annotated[list[Attempt], extended]
    """Every executed candidate, in order."""
    ledger: Annotated[list[LedgerEntry], extended]
    """One entry a model call."""
    exchanges: Annotated[list[Exchange], extended]
    """Prompts and replies, if `Context.keep_prompts` is chosen."""
    notes: Annotated[list[str], extended]
    """Remarks for the reader of the answer."""
    candidates: list[Candidate]
    """The answer's list of candidates, which `answer` writes."""
    sql: str | None
    """The newest SQL; in the end the answer's."""
    status: AnswerStatus
    """The answer's status."""
    confidence: float
    """The answer's confidence."""
    calibrated: bool
    """Whether the answer's confidence is a probability."""
    doubts: list[str]
    """The answer's doubts."""
    columns: list[str]
    """The answer's columns."""
    rows: list[list[Cell]]
    """The answer's rows."""
    row_count: int
    """Rows that the answer's query returned."""
    truncated: bool
    """Whether the answer's rows were cut."""
    error: str | None
    """The answer's error."""
