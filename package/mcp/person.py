"""Questions to a person through the client: approval of a query, and the meaning of an unclear word.

Clients of the protocol of 2026-07-28 get the question as the call's result and call again with the answer; older ones
are asked while the call is open. A client that can't ask a person gets an error, and no query runs.
"""

from time import monotonic
from typing import Any, Literal

from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context as CallContext
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError, create_model

from route_sql.access.callers import Caller
from route_sql.graph.person.approval import Approval
from route_sql.graph.person.clarifying import form_of
from route_sql.mcp.callers import present_caller
from route_sql.tools.terminal import escaped
from route_sql.tools.text import clean

KEY = "person"
SHOWN_CHARS = 2_000
WAITING = 100
"""Runs of one caller that wait for a person at most; the oldest one is given up for a new one."""
WAITING_SECONDS = 900.0
"""Seconds that a question to a person stays open."""
FIRST_VERSION = "2026-07-28"
"""The first version of the protocol in which a question is a result."""
CANNOT_APPROVE = (
    "This server runs a query only after a person has approved it, and this client can't ask a person (it lacks "
    "elicitation), so nothing was run. Use check and schema, or a client that has elicitation."
)

MISFITS = {
    "approve": "The answer does not fit the form: only edit takes SQL, which it needs, and only reject takes a reason.",
    "clarify": "The answer does not fit the form: it must have one of the readings as it is written, or the meaning in "
    "the person's own words, and not both.",
}


class ApprovalForm(BaseModel):
    """The form for a query that waits for approval."""

    type: Literal["approve", "edit", "reject"] = Field(description="edit runs the SQL below in its place")
    sql: str | None = Field(default=None, description="For edit: the SQL to run.")
    reason: str | None = Field(default=None, description="For reject: the reason.")


class Waiting:
    """Runs that wait for a person, by thread, with the call that each belongs to."""

    def __init__(self, seconds: float = WAITING_SECONDS) -> None:
        """Begin with none; each waits for some seconds."""
        self._seconds = seconds
        self._runs: dict[str, tuple[float, Caller, tuple[str, ...]]] = {}

    def __contains__(self, thread: str) -> bool:
        """Whether a run waits."""
        return thread in self._runs

    def keep(self, thread: str, call: tuple[str, ...]) -> list[str]:
        """Keep a run of the present caller; gives the threads that are given up.

        A caller with too many runs loses its own oldest one, never one of another caller.
        """
        caller = present_caller()
        given_up = [each for each, (since, _, _) in self._runs.items() if self._is_over(since)]
        own = [each for each, (_, of, _) in self._runs.items() if of == caller and each not in given_up]
        given_up += own[: max(0, len(own) - WAITING + 1)]
        for each in given_up:
            del self._runs[each]
        self._runs[thread] = monotonic(), caller, call
        return given_up

    def require(self, thread: str, call: tuple[str, ...]) -> None:
        """Check that a run waits.

        Raises:
            ToolError: it does not wait, or no longer, or it is not of this caller and call.
        """
        kept = self._runs.get(thread)
        # One that is over stays here until the next call of `keep`, which also names it as given up.
        if kept is None or kept[1:] != (present_caller(), call) or self._is_over(kept[0]):
            raise ToolError("The question to the person is no longer open; call the tool again without an answer.")

    def take(self, thread: str, call: tuple[str, ...]) -> None:
        """Take a run, which is answered once.

        Raises:
            ToolError: it does not wait, or no longer, or it is not of this caller and call.
        """
        self.require(thread, call)
        del self._runs[thread]

    def _is_over(self, since: float) -> bool:
        return monotonic() - since > self._seconds


def require_a_person(call: CallContext, value: dict[str, Any]) -> None:
    """Check that the client can ask a person, who can see the whole question.

    Raises:
        ToolError: it can't; the message says what to do instead.
    """
    message_for(value)
    capabilities = call.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is not None and (elicitation.form is not None or elicitation.url is None):
        return
    if "approve" in value:
        raise ToolError(CANNOT_APPROVE)
    readings = "; ".join(clean(each, 200) for each in value["readings"])
    raise ToolError(
        f"The question is not clear: {value['clarify']} It may mean: {readings}. This client can't ask a person (it "
        "lacks elicitation): find out, and ask again with the meaning as evidence."
    )


def asks_in_result(call: CallContext) -> bool:
    """Whether this client gets a question as the result of its call."""
    version = call.protocol_version
    return version is not None and is_version_at_least(version, FIRST_VERSION)


def question_result(value: dict[str, Any], state: str) -> InputRequiredResult:
    """The result that asks; the client sends the state back with the answer, and the SDK seals it."""
    schema = render_elicitation_schema(form_for(value))
    request = ElicitRequest(params=ElicitRequestFormParams(message=message_for(value), requested_schema=schema))
    return InputRequiredResult(input_requests={KEY: request}, request_state=state)


def answer_in_call(call: CallContext, value_kind: Literal["approve", "clarify"]) -> dict[str, Any]:
    """The answer that a client sends with its second call.

    Raises:
        ToolError: there is none, or the person did not clarify.
    """
    response = (call.input_responses or {}).get(KEY)
    if not isinstance(response, ElicitResult):
        raise ToolError("The answer of the person is missing; call the tool again without a state.")
    return _decided(response.action, response.content, value_kind)


def require_form(call: CallContext, value: dict[str, Any]) -> None:
    """Check the answer in a client's second call before its run is taken.

    Raises:
        ToolError: it does not fit the form.
    """
    given = (call.input_responses or {}).get(KEY)
    if isinstance(given, ElicitResult) and given.action == "accept" and not _fits(given.content, value):
        again = "The question is still open; call the tool again with its state and another answer."
        raise ToolError(f"{MISFITS[kind_of_interrupt(value)]} {again}")


async def answer_now(call: CallContext, value: dict[str, Any]) -> dict[str, Any]:
    """Ask a client of an older version, and wait.

    Raises:
        ToolError: the answer can't be read or does not fit the form, or the person did not clarify.
    """
    try:
        outcome = await call.elicit(message_for(value), form_for(value))
    except ValueError as error:
        raise ToolError(f"{error}. Nothing was run.") from error
    content = outcome.data.model_dump() if outcome.action == "accept" else None
    if not _fits(content, value):
        raise ToolError(f"{MISFITS[kind_of_interrupt(value)]} Nothing was run; call the tool again.")
    return _decided(outcome.action, content, kind_of_interrupt(value))


def kind_of_interrupt(value: dict[str, Any]) -> Literal["approve", "clarify"]:
    """Kind of the question that an interrupt asks: `approve` or `clarify`."""
    return "approve" if "approve" in value else "clarify"


def message_for(value: dict[str, Any]) -> str:
    """The question as the person reads it: a query is shown whole, with escapes for what would change how it looks.

    Raises:
        ToolError: the query is too long for that.
    """
    if "approve" not in value:
        return clean(str(value["clarify"]), SHOWN_CHARS)
    shown = escaped(value["approve"], lines=True)
    if len(shown) > SHOWN_CHARS:
        raise ToolError(
            f"The query has {len(shown)} characters, and a person who approves one is shown {SHOWN_CHARS} at most, so "
            "it was not run. Ask for less, or send a shorter query."
        )
    return f"May this query run on the database {value['database']}?\n\n{shown}"


def form_for(value: dict[str, Any]) -> type[BaseModel]:
    """The form of the answer: primitive fields, as clients show them."""
    if "approve" in value:
        return ApprovalForm
    readings = value["readings"]
    choices: Any = Literal[tuple(readings)] | None if len(readings) > 1 else str | None
    hint = f"The reading that is meant{', such as ' + readings[0] if len(readings) == 1 else ''}."
    evidence = Field(default=None, description="What is meant, in your own words, if no reading fits.")
    return create_model(
        "Meaning", reading=(choices, Field(default=None, description=hint)), evidence=(str | None, evidence)
    )


def _decided(action: str, content: dict[str, Any] | None, kind: Literal["approve", "clarify"]) -> dict[str, Any]:
    """The value that the run is resumed with. Anything but a clear consent is a refusal."""
    filled = _filled(content)
    if action == "accept" and filled:
        return filled
    if kind == "approve":
        return {"type": "reject", "reason": "The person did not approve it."}
    raise ToolError("The person did not say what is meant, so nothing was run. Ask again with the meaning as evidence.")


def _fits(content: dict[str, Any] | None, value: dict[str, Any]) -> bool:
    """Whether the graph can take an answer. A blank one is none: it is a refusal."""
    form: type[BaseModel] = Approval if "approve" in value else form_of(value["readings"])
    filled = _filled(content)
    try:
        return not filled or bool(form.model_validate(filled))
    except ValidationError:
        return False


def _filled(content: dict[str, Any] | None) -> dict[str, Any]:
    return {name: given for name, given in (content or {}).items() if not _is_blank(given)}


def _is_blank(given: object) -> bool:
    """Whether a field of a form was left empty. Spaces, and characters that no one sees, are no text."""
    return given is None or (isinstance(given, str) and not clean(given, len(given) + 1).strip())
