"""The transcript: each prompt and reply of a run, which the state keeps by choice."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from typing_extensions import TypedDict

from route_sql.agents.call import Reply

REPLY_CHARS = 20_000
"""Characters of a reply that the transcript keeps; a prompt is bounded when it is made."""
ROLES = {"human": "user", "ai": "assistant"}
"""OpenAI's names of LangChain's types of messages."""


class Message(TypedDict):
    """One message of a prompt."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str
    """Its text."""


class Exchange(TypedDict):
    """A prompt and its reply, kept by choice."""

    node: str
    """The node that asked."""
    prompt: list[Message]
    """The messages, as the model was asked."""
    reply: str
    """The text of the reply, clipped to 20,000 characters."""


def exchange(node: str, messages: Sequence[BaseMessage], reply: Reply) -> Exchange:
    """A prompt and its reply as the transcript keeps them."""
    prompt = [Message(role=ROLES.get(each.type, each.type), content=str(each.text)) for each in messages]
    is_long = len(reply.text) > REPLY_CHARS
    return Exchange(node=node, prompt=prompt, reply=reply.text[: REPLY_CHARS - 1] + "…" if is_long else reply.text)
