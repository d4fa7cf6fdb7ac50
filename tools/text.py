"""Untrusted text made harmless for a prompt, and words taken out of names and sentences.

Names, comments, cells and notes come from whoever filled the database. In a prompt they are in blocks that
are fenced by lines `<<<NAME` and `NAME>>>`; after `clean` a text can neither end its line nor forge a fence, nor a
turn: servers fill the chat template first and read its tokens afterwards, so that `<|im_end|>` in a cell would end the
user's turn for the model.
"""

import re
import unicodedata

ELLIPSIS = "…"

_NO_PLURAL = ("ss", "us", "is", "series", "species")
_ES_PLURAL = ("sses", "xes", "ches", "shes", "zzes")
_IE_WORDS = frozenset({"movie", "cookie", "calorie", "rookie", "zombie", "selfie", "brownie"})

# Joiners shape letters in Persian, Indic scripts and emoji; every other format character only hides or
# reorders text.
_JOINERS = frozenset("\u200c\u200d")
_FENCE = re.compile(r"<{3,}|>{3,}")
# The marks of turns in chat templates: every token with a bar (ChatML, Llama, Phi, Gemma, DeepSeek's wide bar), and by
# name those that look like HTML or like a quoted name, since real cells hold `<p>` and real queries `[Sep]`.
_TURN = re.compile(
    r"<(?=[|\uff5c]|\w+[|\uff5c]>)"
    r"|<(?=(?i:/?(?:s|bos|eos|pad|unk|mask|sop|eop|think|tool_\w+|fim_\w+|(?:start|end)_of_\w+|\w+_token)>))"
    r"|<(?=(?:unused|reserved_)\d+>|</?SYS>>)"
    r"|\[(?=/?(?:INST|THINK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w+|IMG|IMG_\w+|[gs]MASK)\])"
)
_LINE_BREAKERS = frozenset({"Cc", "Zl", "Zp"})
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)")


def clean(text: str, limit: int) -> str:
    """Untrusted text as one line of at most `limit` characters that can forge neither a prompt's fence nor a turn.

    Each run of control characters and line breaks becomes one space, invisible format characters (bidirectional
    overrides, zero-width marks, tags) are dropped, lone surrogates become U+FFFD, a run of three or more `<` or
    `>` is shortened to two, and a token of a chat template is broken by a space (`< |im_end|>`). Other spaces
    stay, since a value with a double space must stay findable.

    Args:
        text: Any text.
        limit: Characters to keep, at least 1. A longer text ends in an ellipsis.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and not _marked(text):
        return text
    # The cut part need not be scanned: a cell may hold megabytes, and dropped characters are rare.
    scanned = text[: 4 * limit + 16]
    line = _TURN.sub(r"\g<0> ", _FENCE.sub(lambda run: run.group()[:2], _printable(scanned)))
    whole = len(line) <= limit and len(scanned) == len(text)
    return line if whole else line[: limit - 1] + ELLIPSIS


def is_encodable(text: str) -> bool:
    """Whether a text has no half of a surrogate pair: no encoding has one, so nothing can store or send it."""
    return text.isascii() or not _LONE_SURROGATE.search(text)


def encodable(text: str) -> str:
    """A text with U+FFFD in place of each half of a surrogate pair."""
    return text if is_encodable(text) else _LONE_SURROGATE.sub("\ufffd", text)


def is_clean(text: str, limit: int) -> bool:
    """Whether `clean` leaves the text as it is, so that what a prompt shows is the real name or value."""
    return len(text) <= limit and "\ufffd" not in text and clean(text, limit) == text


def words(text: str) -> list[str]:
    """The lower-case words of a name or sentence; `camelCase`, `snake_case` and digits are split apart."""
    return [part.casefold() for word in _WORD.findall(text) for part in _CAMEL.split(word)]


def singular(word: str) -> str:
    """A lower-case English word without its regular plural ending; other words are returned unchanged."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    if word.endswith("ies") and len(word) > 4 and word[:-1] not in _IE_WORDS:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(_ES_PLURAL) else word[:-1]


def _marked(text: str) -> bool:
    """Whether a text that is otherwise plain holds a fence or a turn; few texts hold a bracket at all."""
    has_bracket = "<" in text or ">" in text or "[" in text
    return has_bracket and bool(_FENCE.search(text) or _TURN.search(text))


def _printable(text: str) -> str:
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if category in _LINE_BREAKERS:
            if not kept or kept[-1] != "\n":
                kept.append("\n")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category != "Cf" or character in _JOINERS:
            kept.append(character)
    return "".join(kept).replace("\n", " ")
