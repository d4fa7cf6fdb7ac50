"""Removal of thinking and of chat template markers from a reply."""

import re

_NAMES = r"(?:think(?:ing)?|thoughts?|reasoning|seed:think)"
_BEGINS = (
    rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|START_THINKING\|>"
    # gpt-oss writes a channel before each message; only the channel `final` is the answer
    r"|<\|channel\|>(?!\s*final\b)"
)
_ENDS = (
    rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>"
    r"|<\|channel\|>\s*final\b(?:[^<]|<\|constrain\|>){0,40}<\|message\|>"
)
_BEGIN = re.compile(_BEGINS, re.IGNORECASE)
_END = re.compile(_ENDS, re.IGNORECASE)
_THOUGHT = re.compile(rf"(?:{_BEGINS}).*?(?:{_ENDS}|\Z)", re.DOTALL | re.IGNORECASE)
_MARKER = re.compile(r"<\|(?:im_start\|>\s*\w*|[\w ]+\|>)|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<｜[^｜]*｜>")


def without_thinking(reply: str) -> str:
    """Remove the thinking from a reply; empty if the reply was cut off while thinking.

    The answer follows the last closing mark. An opening mark is not needed, since templates may put it into the
    prompt. If nothing follows the closing mark, the text around the thinking is the answer.
    """
    answer = _after_thinking(reply)
    return answer if answer.strip() else _after_thinking(_THOUGHT.sub("", reply))


def turns(text: str) -> list[str]:
    """Non-blank parts of a text between chat template markers; a model may write more than its own turn."""
    return [part for part in _MARKER.split(text) if part.strip()]


def _after_thinking(text: str) -> str:
    ends = [mark.end() for mark in _END.finditer(text)]
    return _BEGIN.split(text[ends[-1] if ends else 0 :], maxsplit=1)[0]
