r"""Untrusted text made harmless for a terminal.

Cells, names, SQL and errors may hold escape sequences that retitle a window, fill the clipboard or hide what was
printed, and characters that reorder text or vanish. Each is shown as an escape, such as `\x1b` or `\u202e`, so that a
reader sees that it was there.
"""

import json
import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
"""Control and format characters, lone surrogates, line separators, and letters and marks that no font draws."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_JOINERS = "\u200c\u200d"
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_KEYCAPS = "0123456789#*\xa9\xae"
_FIRST_SHAPED = 0x0590
"""Latin, Greek, Cyrillic and Armenian letters are below; none is shaped by a joiner."""
_MORE_EUROPEAN = range(0x1E00, 0x2000)
_IDEOGRAPHS = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x32000))
_ASTRAL = 0x10000


def escaped(text: str, *, lines: bool = False) -> str:
    r"""The text with an escape for every character that could trick a terminal.

    Joiners and selectors stay where they shape letters or emoji.

    Args:
        text: Any text.
        lines: Whether line breaks and tabs may stay; without it they are `\n` and `\t`, so that a text is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda found: found[0] if lines and found[0] in "\n\t" else _shown(found), text)


def escaped_json(value: object, *, only_ascii: bool = False) -> str:
    """One line of JSON without a character that could trick a terminal; its reader gets exactly the value."""
    return _UNSAFE.sub(lambda found: _json_escape(found[0]), json.dumps(value, ensure_ascii=only_ascii))


def _shown(found: re.Match[str]) -> str:
    character, code = found[0], ord(found[0])
    if _shapes(found.string, found.start()):
        return character
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < _ASTRAL else f"\\U{code:08x}"


def _shapes(text: str, place: int) -> bool:
    """Whether an invisible character changes how the letters or emoji at its side are drawn, as in Persian or Hindi."""
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character in _JOINERS:
        if before and before in _EMOJI_SELECTORS:
            before = text[place - 2 : place - 1]
        return _is_shaped(before) and _is_shaped(after)
    if character in _EMOJI_SELECTORS:
        return _is_shaped(before) or (before != "" and before in _KEYCAPS)
    is_variant = 0xE0100 <= ord(character) <= 0xE01EF
    return is_variant and before != "" and any(ord(before) in block for block in _IDEOGRAPHS)


def _is_shaped(letter: str) -> bool:
    if not letter or _UNSAFE.match(letter):
        return False
    return ord(letter) >= _FIRST_SHAPED and ord(letter) not in _MORE_EUROPEAN


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < _ASTRAL:
        return f"\\u{code:04x}"
    high, low = divmod(code - _ASTRAL, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
