"""A conversation as text in the model's own chat template, exactly as servers render it.

A template may have no system role: it raises, or leaves the system text out. The text is then part of the first
user turn, as with the embedded server and with our client for other servers.
"""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from route_sql.serving.client.system_role import folded
from route_sql.training.errors import TrainingError


def chat_text(tokenizer: Any, turns: Sequence[Any], *, unanswered: bool) -> str:
    """The text of a conversation; an unanswered one ends with the beginning of the reply.

    Raises:
        TrainingError: the chat template can't render the conversation.
    """
    messages = [dict(turn) for turn in turns]
    merged: list[dict[str, Any]] = folded({"messages": messages})["messages"]
    try:
        text = _render(tokenizer, messages, unanswered)
    except TemplateError as error:
        if merged == messages:
            raise _unusable(error) from error
        return _merged(tokenizer, merged, unanswered)
    return text if _has_system(text, messages) else _merged(tokenizer, merged, unanswered)


def _merged(tokenizer: Any, messages: list[dict[str, Any]], unanswered: bool) -> str:
    try:
        return _render(tokenizer, messages, unanswered)
    except TemplateError as error:
        raise _unusable(error) from error


def _render(tokenizer: Any, messages: list[dict[str, Any]], unanswered: bool) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=unanswered))


def _has_system(text: str, messages: list[dict[str, Any]]) -> bool:
    return all(turn["content"].strip() in text for turn in messages if turn["role"] == "system")


def _unusable(error: TemplateError) -> TrainingError:
    return TrainingError(f"the base's chat template can't render a conversation: {error}; take another base")
