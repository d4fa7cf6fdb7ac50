"""Models whose chat template has no system role: the system text moves into the first user turn."""

import re
from typing import Any

from route_sql.serving.errors import ServerRefused

_STATUSES = {400, 422, 424, 500, 501}
# Wide on purpose: a wrong guess costs one more request, whose refusal is then raised.
_NAMES_ROLES = re.compile(
    r"\broles?\b|\b(?:system|developer)\b[\s'\"`_:-]{0,4}(?:role|message|prompt|instruction|turn|content)"
    r"|(?:role|message|prompt|instruction|turn)s?[\s'\"`_:=-]{0,4}(?:system|developer)\b"
    r"|['\"`](?:system|developer)['\"`]|user/assistant",
    re.IGNORECASE,
)


def has_system(body: dict[str, Any]) -> bool:
    """Whether a request has a system turn."""
    return any(message.get("role") == "system" for message in body["messages"])


def refuses_system(refusal: ServerRefused) -> bool:
    """Whether a refusal may be about the system turn, in any wording."""
    return refusal.status in _STATUSES and bool(_NAMES_ROLES.search(refusal.said))


def folded(body: dict[str, Any]) -> dict[str, Any]:
    """The request with its system text at the beginning of the first user turn."""
    systems = [_text(message["content"]) for message in body["messages"] if message.get("role") == "system"]
    others = [dict(message) for message in body["messages"] if message.get("role") != "system"]
    if not systems:
        return body
    text = "\n\n".join(systems)
    first = next((message for message in others if message.get("role") == "user"), None)
    if first is None:
        others.insert(0, {"role": "user", "content": text})
    elif isinstance(first["content"], list):
        first["content"] = [{"type": "text", "text": text}, *first["content"]]
    else:
        # One line break, as llama.cpp does it by itself: every server of a model then reads the same prompt.
        first["content"] = f"{text}\n{first['content']}"
    return body | {"messages": others}


def _text(content: Any) -> str:
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(block if isinstance(block, str) else str(block.get("text", "")) for block in blocks)
