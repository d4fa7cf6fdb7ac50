"""A person's answer to a query that waits for approval: approve, edit or reject."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from route_sql.graph.context import authenticated_user
from route_sql.graph.person.shown import asked
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import clean, is_encodable

FORMS = (
    "answer with true or {'type': 'approve'}, {'type': 'edit', 'sql': 'SELECT ...'}, {'type': 'reject'}, {'type': "
    "'reject', 'reason': '...'}, or one of these objects as LangChain's {'decisions': [...]}; each object may have "
    "'by', the person's name"
)
SHOWN_CHARS = 80
REASON_CHARS = 500
NAME_CHARS = 200
TAKES: dict[str, set[str]] = {"approve": set(), "edit": {"sql"}, "reject": {"reason"}}
"""Fields that each type of answer may fill."""


class Approval(BaseModel):
    """A person's answer: run the query, run another in its place, or run none."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["approve", "edit", "reject"] = Field(
        description="approve runs the query, edit runs the SQL below in its place, reject runs nothing."
    )
    sql: str | None = Field(default=None, description="For edit: the SQL to run.")
    reason: str | None = Field(default=None, description="For reject: the reason, in words.")
    by: str | None = Field(
        default=None, max_length=NAME_CHARS, description="Name of the person who decides, for the audit."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_answer(cls, given: object) -> object:
        """The answer in `True` or in exactly one decision of LangChain."""
        if given is True:
            return {"type": "approve"}
        if isinstance(given, dict) and given.keys() == {"decisions"}:
            decisions = given["decisions"]
            if isinstance(decisions, list) and len(decisions) == 1 and isinstance(decisions[0], dict):
                return _flat(decisions[0])
        return given

    @model_validator(mode="after")
    def _fits_its_type(self) -> "Approval":
        """Refuse a field that this type of answer does not take, unless it is blank, as forms send it."""
        filled = {name for name in ("sql", "reason") if (getattr(self, name) or "").strip()}
        is_text = all(is_encodable(text) for text in (self.sql, self.reason, self.by) if text)
        if not is_text or not filled <= TAKES[self.type] or (self.type == "edit" and not filled):
            raise ValueError(FORMS)
        return self

    @property
    def person(self) -> str | None:
        """The person who decided: the user that the server of LangGraph has authenticated, or else the name given."""
        return authenticated_user() or clean((self.by or "").strip(), NAME_CHARS) or None

    @property
    def reason_in_one_line(self) -> str:
        """The reason as one line that is fit for a prompt; blank if there is none."""
        return clean(" ".join((self.reason or "").split()), REASON_CHARS)


async def ask_approval(query: dict[str, Any]) -> Approval:
    """Interrupt the run with a query, and return the answer that it is resumed with.

    Raises:
        InvalidInput: the answer is none of `FORMS`. The run waits for another one.
    """
    try:
        answer: Approval = await asked(query, Approval)
    except ValidationError as error:
        raise invalid_answer(error, FORMS) from error
    return answer


def invalid_answer(error: ValidationError, forms: str) -> InvalidInput:
    """The error for an answer that does not fit the interrupt's form."""
    first = error.errors()[0]
    where = "".join(f"{part} " for part in first["loc"])
    raised = InvalidInput(
        f"{where}{clean(repr(first['input']), SHOWN_CHARS)} can't be used: {forms}. The run still waits"
    )
    # LangGraph marks the error; the same call may answer other interrupts, which must not be lost
    vars(raised).update(vars(error))
    return raised


def _flat(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision of LangChain with our names of its fields."""
    match decision:
        case {"type": "edit", "edited_action": {"name": str(), "args": {"sql": sql, **other}, **more}, **rest}:
            return decision if other or more or rest else {"type": "edit", "sql": sql}
        case {"type": "reject", "message": message, **rest} if not rest:
            return {"type": "reject", "reason": message}
    return decision
