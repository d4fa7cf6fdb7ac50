"""Changes of a request for servers that refuse it as it is: no system role, no log-probabilities, one completion."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from route_sql.serving.client.system_role import folded, has_system, refuses_system
from route_sql.serving.errors import ServerRefused

Body = dict[str, Any]

_REFUSALS = {400, 404, 422, 424, 500, 501}
_NAMES_LOGPROBS = re.compile(r"log_?prob", re.IGNORECASE)
# Broad on purpose: a wrong guess only costs one more request.
_NAMES_COMPLETIONS = re.compile(
    r"\bn_cmpl\b|\bbest_of\b|['\"`]n['\"`]|\bn\s*(?:=|>|!=|must|is|should|can|has|was|parameter)"
    r"|(?:parameter|field|argument|option|value of|property|key|unsupported|unknown):?\s+n\b"
    r"|(?:multiple|several|many|number of|more than one|one|single) (?:choices?|completions?|sequences?|generations?)",
    re.IGNORECASE,
)
_LOGPROB_FIELDS = ("logprobs", "top_logprobs")


@dataclass(frozen=True)
class Adaptation:
    """One change that a server may need."""

    concerns: Callable[[Body], bool]
    """Whether a request has the part that may be refused."""
    explains: Callable[[ServerRefused], bool]
    """Whether a refusal may be about that part, in any wording."""
    change: Callable[[Body], Body]
    """The request without that part."""


def asks_logprobs(body: Body) -> bool:
    """Whether a request asks for log-probabilities."""
    return any(body.get(field) for field in _LOGPROB_FIELDS)


def refuses_logprobs(refusal: ServerRefused) -> bool:
    """Whether a refusal may be one of log-probabilities."""
    return refusal.status in _REFUSALS and bool(_NAMES_LOGPROBS.search(refusal.said))


def without_logprobs(body: Body) -> Body:
    """The request without log-probabilities."""
    return {key: value for key, value in body.items() if key not in _LOGPROB_FIELDS}


def asks_several(body: Body) -> bool:
    """Whether a request asks for several completions."""
    return bool(body.get("n", 1) != 1)


def refuses_several(refusal: ServerRefused) -> bool:
    """Whether a refusal may be one of several completions."""
    return refusal.status in _REFUSALS and bool(_NAMES_COMPLETIONS.search(refusal.said))


def for_one(body: Body) -> Body:
    """The request for one completion."""
    return {key: value for key, value in body.items() if key != "n"}


ADAPTATIONS = (
    Adaptation(has_system, refuses_system, folded),
    Adaptation(asks_logprobs, refuses_logprobs, without_logprobs),
    Adaptation(asks_several, refuses_several, for_one),
)


def adapted(body: Body, adaptations: tuple[Adaptation, ...]) -> Body:
    """The request with the changes made."""
    for each in adaptations:
        body = each.change(body)
    return body


def next_adaptation(body: Body, refusal: ServerRefused, made: tuple[Adaptation, ...]) -> Adaptation | None:
    """The change that a refusal asks for, if there is one that was not made yet."""
    left = [each for each in ADAPTATIONS if each not in made and each.concerns(body)]
    return next((each for each in left if each.explains(refusal)), None)
