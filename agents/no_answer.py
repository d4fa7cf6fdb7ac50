"""The reply to a question that the database can't answer: one line with the reason, instead of SQL or a link.

`unanswerable: no column for salary`
"""

import re
from collections.abc import Sequence

from route_sql.tools.sql.replies.thinking import turns, without_thinking
from route_sql.tools.text import clean

NOT_A_QUESTION = "this is not a question about the data"
REASON_CHARS = 200

_FORM = re.compile(r"\A[\s`*\"']*unanswerable\b[\s:.,-]*(?P<reason>[^\n]*)", re.IGNORECASE)


def missing(kind: str, names: Sequence[str]) -> str:
    """The reason that the database lacks something, such as `no column for salary`.

    Args:
        kind: `column` or `table`.
        names: The missing names, in plain words.
    """
    return f"no {kind} for {' and '.join(names)}"


def write(reason: str) -> str:
    """The reply that a tuned model should give; `parse` reads it back."""
    return f"unanswerable: {reason}"


def parse(reply: str) -> str | None:
    """The reason of a reply that gives no answer, clipped; None for any other reply."""
    for part in turns(without_thinking(reply)):
        if found := _FORM.match(part):
            return clean(found["reason"].strip(" `*\"'."), REASON_CHARS) or "no reason given"
    return None
