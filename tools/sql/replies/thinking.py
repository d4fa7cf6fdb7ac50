"""What a reply says beside its model's thinking and the marks of its chat template."""

import re

_NAMES = r"(?:think(?:ing)?|thoughts?|reasoning|seed:think)"
_BEGINS = (
    rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|START_THINKING\|>"
    # gpt-oss names a channel before each message, and only the one named final is the answer
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
    """What a reply says beside its thinking; nothing if it was cut off while thinking.

    The answer stands behind the last mark that closes thinking, whether or not one opens it: templates may put the
    opening mark into the prompt. Only if nothing stands there, it is what stands around the thinking.
    """
    answer = _behind_thinking(reply)
    return answer if answer.strip() else _behind_thinking(_THOUGHT.sub("", reply))


def turns(text: str) -> list[str]:
    """The parts of a text between the marks of a chat template, blank ones left out: a model may run on."""
    return [part for part in _MARKER.split(text) if part.strip()]


def _behind_thinking(text: str) -> str:
    ends = [mark.end() for mark in _END.finditer(text)]
    return _BEGIN.split(text[ends[-1] if ends else 0 :], maxsplit=1)[0]
