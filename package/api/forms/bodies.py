"""Bodies that requests send, checked to the last field."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from route_sql.graph.context import AfterRejection, AgentName, Strategy

QUESTION_CHARS, SQL_CHARS, NAME_CHARS = 4_000, 20_000, 200


def _storable(text: str) -> str:
    """A text that can be written in UTF-8 and stored in every database of threads."""
    if "\0" in text or not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it has a character that is not text (NUL or half of a surrogate pair)")
    return text


def _whole(number: Any) -> Any:
    """A whole number in any form of JSON, such as `5.0`."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


NO_NUL = r"^[^\u0000]*$"
WORDED = r"^[^\u0000]*[^\u0000\s][^\u0000]*$"
Storable = AfterValidator(_storable)
QuestionText = Annotated[
    str,
    Field(min_length=1, max_length=QUESTION_CHARS, pattern=WORDED, examples=["How many orders were paid in May?"]),
    Storable,
]
FreeText = Annotated[str, Field(max_length=QUESTION_CHARS, pattern=NO_NUL), Storable]
StatementText = Annotated[
    str, Field(min_length=1, max_length=SQL_CHARS, pattern=WORDED, examples=["SELECT COUNT(*) FROM orders"]), Storable
]
DatabaseName = Annotated[str, Field(min_length=1, max_length=NAME_CHARS, pattern=NO_NUL, examples=["shop"]), Storable]
ThreadId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", min_length=32, max_length=32)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Positive = Annotated[int, Field(gt=0), BeforeValidator(_whole)]


class StrictBody(BaseModel):
    """A body without unknown fields, with each field of its exact type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class RunOptions(StrictBody):
    """Limits of one query of the caller's own. The server's own limits can be narrowed, not widened."""

    row_limit: Count | None = None
    deadline: Seconds | None = Field(default=None, description="Seconds that a query may run.")


class AskOptions(RunOptions):
    """Choices of one question. The server's own limits can be narrowed, not widened."""

    strategy: Strategy | None = None
    without: list[AgentName] | None = None
    approve: bool | None = Field(default=None, description="Wait for a person's approval before each query.")
    clarify: bool | None = Field(default=None, description="Wait for a person where a word is unclear.")
    after_rejection: AfterRejection | None = None
    follow_up: bool | None = None
    withhold: bool | None = None
    withhold_from: Annotated[Share, Field(gt=0)] | None = None
    min_confidence: Share | None = None
    enough: Share | None = None
    seconds: Seconds | None = Field(default=None, description="Seconds that the question may take.")
    max_corrections: Count | None = None
    max_continuations: Count | None = None
    max_samples: Count | None = None
    max_tokens: Positive | None = None


class AskBody(StrictBody):
    """A question."""

    question: QuestionText
    database: DatabaseName
    evidence: FreeText = Field(default="", description="Facts that the question needs besides the schema.")
    thread: ThreadId | None = Field(
        default=None, description="The thread that it continues; without one it begins a new one."
    )
    options: AskOptions = AskOptions()


class RunBody(StrictBody):
    """A query of the caller's own."""

    sql: StatementText
    database: DatabaseName
    question: QuestionText | None = Field(
        default=None,
        description="The question that it answers, in words; without one the last question of the thread, or the SQL.",
    )
    thread: ThreadId | None = Field(
        default=None, description="The thread that it belongs to; without one it begins a new one."
    )
    options: RunOptions = RunOptions()


class CheckBody(StrictBody):
    """A statement that is checked and not run."""

    sql: StatementText
    database: DatabaseName


class DecisionBody(StrictBody):
    """A decision of a person about a run that waits."""

    interrupt: Annotated[str, Field(max_length=NAME_CHARS, pattern=NO_NUL)] | None = Field(
        default=None,
        description="The id of the interrupt that the person has seen; if another one waits, the answer is 409.",
    )


class ApproveBody(DecisionBody):
    """Run the query."""

    type: Literal["approve"]


class EditBody(DecisionBody):
    """Run another query in its place."""

    type: Literal["edit"]
    sql: StatementText


class RejectBody(DecisionBody):
    """Run no query."""

    type: Literal["reject"]
    reason: FreeText | None = None


class ContinueBody(StrictBody):
    """Continue a run that was stopped."""

    type: Literal["continue"]
    turn: Positive | None = Field(
        default=None, description="The number of the question to continue; if it is not the last, the answer is 409."
    )


class ChoiceBody(DecisionBody):
    """One of the choices, as it is written."""

    choice: Annotated[str, Field(min_length=1, max_length=SQL_CHARS, pattern=NO_NUL), Storable]


class EvidenceBody(DecisionBody):
    """The meaning in own words."""

    evidence: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARS, pattern=WORDED), Storable]


RESUME_FORMS = (
    'send {"type": "approve"}, {"type": "edit", "sql": "SELECT ..."}, {"type": "reject", "reason": "..."}, '
    '{"choice": "..."}, {"evidence": "..."} or {"type": "continue"}'
)


def _one_form(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(given)
    except ValidationError:
        raise PydanticCustomError("form", "it has none of its forms; {forms}", {"forms": RESUME_FORMS}) from None


ResumeBody = Annotated[
    ApproveBody | EditBody | RejectBody | ContinueBody | ChoiceBody | EvidenceBody, WrapValidator(_one_form)
]
