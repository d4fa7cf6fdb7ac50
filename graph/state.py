"""The state of one question: the question, the choices of the run, one list of attempts, and the answer. Plain JSON."""

from typing import Annotated, Any, Literal, NotRequired

from langgraph.channels.ephemeral_value import EphemeralValue
from pydantic import BaseModel, Field, FiniteFloat
from typing_extensions import TypedDict

from route_sql.graph.fields.channels import Extended, OfOneQuestion, kept_once, longer_time
from route_sql.graph.fields.decisions import Decision, Point
from route_sql.graph.fields.proposals import Proposal, Samples, TokenScores
from route_sql.graph.fields.run_choices import Choices
from route_sql.tools.database.outcome import Cell, Outcome, Status
from route_sql.tools.schema.records import Link

VERSION = 2
"""Version of the state's keys; a checkpoint carries it."""

AnswerStatus = Status | Literal["unsure", "unanswerable"]
"""Status of an answer: that of its query; `unsure` with a confidence below `Context.min_confidence`; `unanswerable` if
the database can't answer the question."""
ANSWERED_STATUSES: tuple[AnswerStatus, ...] = ("ok", "empty", "unsure")
"""Statuses of an answer whose SQL ran."""
AnswerKind = Literal["alone", "compared", "voted"]
"""Whether a candidate is the only one that the model wrote, one of several, or one that samples have voted on."""

Evidence = Annotated[str, EphemeralValue(str)]
"""Removed after a run's first step, so that evidence does not reach the thread's next question."""


class Question(TypedDict):
    """A question about one database."""

    question: str
    """The question, in words."""
    database: str
    """The database's name in the catalog; never a URL."""
    evidence: NotRequired[str]
    """Facts that the question needs besides the schema, such as a formula or the meaning of a code."""


class OwnQuery(Question):
    """A query of a person's own, as the input of a run that asks no model."""

    own_sql: str
    """The query, which runs like one of the model: guarded, with the caller's rights, within the limits."""


class AnsweredQuestion(TypedDict):
    """An answered question of a thread, as far as a follow-up needs it."""

    question: str
    database: str
    sql: str
    columns: list[str]
    rights: dict[str, Any]
    """Rights of the caller who got the answer."""


class QuestionArguments(BaseModel):
    """A question about one database."""

    # For the graph's form and tool: `as_tool` treats an optional key of a `TypedDict` as required.
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
    seconds: FiniteFloat
    decision: NotRequired[Decision]
    """A person's decision about it, if there is one."""
    decided_by: NotRequired[str]
    """The person, if the name is known."""


class LedgerEntry(TypedDict):
    """Cost of one model call, in the server's tokens."""

    node: str
    prompt_tokens: int
    cached_tokens: int | None
    """Tokens of the prompt that were not computed again; None where the server doesn't say."""
    completion_tokens: int
    seconds: FiniteFloat
    finish_reason: NotRequired[str | None]
    """Reason for the end of the reply: `length` if it was cut at its limit; None where the server gives none."""
    completions: NotRequired[int]
    """Replies that the call gave; missing for one."""
    server: NotRequired[str]
    """Host and port of the server that replied, where there are several."""


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
    """Number of the sample; None for a call that is not a sample."""
    finish_reason: str | None
    logprobs: list[FiniteFloat]
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    seconds: FiniteFloat
    drawn_with: NotRequired[int]
    """Number of the first sample of the same request, where one request drew several."""


class Answer(TypedDict):
    """The SQL that was chosen, its result, and the candidates and calls that led to it."""

    sql: str | None
    """None if no agent wrote SQL that could be read, or the status is unanswerable."""
    status: AnswerStatus
    confidence: FiniteFloat
    """Confidence that the answer is right, 0 to 1; 0 for an answer that did not run."""
    calibrated: bool
    """Whether the confidence is a probability; False if it only orders answers, since the model has no calibration."""
    doubts: list[str]
    """Reasons to doubt the answer, one short sentence each."""
    columns: list[str]
    rows: list[list[Cell]]
    row_count: int
    truncated: bool
    error: str | None
    """The error of the query, or the reason why there is no query."""
    notes: list[str]
    """Remarks for the reader, for example that the schema was cut or that the database's role may write."""
    candidates: list[Candidate]
    """Every candidate, in the order in which they were executed."""
    ledger: list[LedgerEntry]
    """One entry for each model call."""


class NoAnswer(TypedDict):
    """Probability that the database can't answer the question."""

    declined: bool
    """Whether the model gave a reason in place of SQL."""
    irrelevant: bool
    """Whether no word of the question or of its evidence names anything in the database; for models that never give a
    reason."""
    reason: str
    """The reason, such as `no column for salary`."""
    signals: dict[str, FiniteFloat]
    """The numbers that the probability was made of."""
    probability: FiniteFloat
    """Probability that there is no answer, 0 to 1."""


class Assessment(TypedDict):
    """Confidence of the leading candidate, and its signals."""

    sql: str
    """The candidate's SQL."""
    kind: AnswerKind
    """Whether there was a second opinion."""
    signals: dict[str, FiniteFloat]
    """The numbers that the confidence was made of."""
    confidence: FiniteFloat
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
    """The outcome; many rows are kept in the state's `rows` alone, if the candidate leads."""
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
    decided_by: NotRequired[str]
    """The person, if the name is known."""
    corrected: NotRequired[bool]
    """Whether the noise corrector has read why a person rejected it."""
    sampled: NotRequired[bool]
    """Whether it is a sample, or one with repaired joins."""
    all_zero: NotRequired[bool]
    """Whether it returned nothing but zeros and NULLs."""


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
    began: Annotated[FiniteFloat, OfOneQuestion(Any)]
    """Time at which the question was asked, in seconds since 1970."""
    traceparent: Annotated[str | None, OfOneQuestion(Any)]
    """The run's span as W3C writes it; None where nothing is recorded."""
    choices: Annotated[Choices, OfOneQuestion(Any)]
    """The run's choices, which `ground` writes here and routers read."""
    question_evidence: Annotated[str, OfOneQuestion(Any)]
    """The question's evidence, for the nodes after `ground`."""
    last_turn: AnsweredQuestion | None
    """The thread's last answered question; it stays when a new one is asked."""
    older_turns: list[AnsweredQuestion] | None
    """The answered question before that one, if there is one."""
    earlier_turn: Annotated[AnsweredQuestion, OfOneQuestion(Any)]
    """The turn that the question refers to, if it is a follow-up."""
    context_notes: Annotated[list[str], OfOneQuestion(Any)]
    """Notes of the context tools (matched values, glossary): untrusted text."""
    shown_schema: Annotated[Link | None, OfOneQuestion(Any)]
    """The part of the schema that the prompts show; None if that is all of it."""
    unclear: Annotated[list[Point], OfOneQuestion(Any)]
    """Open points, which a person is asked about before any other agent acts."""
    asked_back: Annotated[bool, OfOneQuestion(Any)]
    """Whether a person was asked about an unsure answer, which happens once."""
    earlier_calls: Annotated[int, OfOneQuestion(Any)]
    """Number of model calls before a person explained an unsure answer; the agents then start again."""
    linked: Annotated[Link, OfOneQuestion(Any)]
    """Tables and columns named by the schema linker; empty until it ran."""
    drafted: Annotated[Link, OfOneQuestion(Any)]
    """Tables and columns used by the draft, and the real tables of columns it misplaced."""
    spent: Annotated[FiniteFloat, longer_time]
    """Seconds that the nodes of a question with a time budget (`Context.seconds`) have taken."""
    proposal: Annotated[Proposal | None, OfOneQuestion(Any)]
    """The newest candidate, until `execute` has run it."""
    assessment: Annotated[Assessment | None, OfOneQuestion(Any)]
    """Confidence of the leading candidate; None before the first one."""
    no_answer: Annotated[NoAnswer | None, OfOneQuestion(Any)]
    """Probability that there is no answer; None before the first reply."""
    samples: Annotated[Samples | None, OfOneQuestion(Any)]
    """Samples of a question in doubt; None before they are drawn."""
    attempts: Annotated[list[Attempt], Extended("attempts")]
    """Every executed candidate, in order."""
    ledger: Annotated[list[LedgerEntry], Extended("ledger")]
    """One entry for each model call."""
    exchanges: Annotated[list[Exchange], Extended("exchanges")]
    """Prompts and replies, if `Context.keep_prompts` is chosen."""
    notes: Annotated[list[str], Extended("notes")]
    """Remarks for the reader of the answer."""
    candidates: Annotated[list[Candidate], OfOneQuestion(Any)]
    """The answer's list of candidates, which `answer` writes."""
    sql: Annotated[str | None, OfOneQuestion(Any)]
    """The newest SQL; in the end the answer's."""
    status: Annotated[AnswerStatus, OfOneQuestion(Any)]
    """The answer's status."""
    confidence: Annotated[FiniteFloat, OfOneQuestion(Any)]
    """The answer's confidence."""
    calibrated: Annotated[bool, OfOneQuestion(Any)]
    """Whether the answer's confidence is a probability."""
    doubts: Annotated[list[str], OfOneQuestion(Any)]
    """The answer's doubts."""
    columns: Annotated[list[str], OfOneQuestion(Any)]
    """The answer's columns."""
    rows: Annotated[list[list[Cell]], kept_once()]
    """Rows of the leading candidate; at the end, of the answer."""
    rows_of: Annotated[str, OfOneQuestion(Any)]
    """The SQL that returned the rows."""
    row_count: Annotated[int, OfOneQuestion(Any)]
    """Rows that the answer's query returned."""
    truncated: Annotated[bool, OfOneQuestion(Any)]
    """Whether the answer's rows were cut."""
    error: Annotated[str | None, OfOneQuestion(Any)]
    """The answer's error."""
