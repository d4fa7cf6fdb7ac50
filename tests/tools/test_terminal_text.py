"""Text on a terminal: nothing steers, hides or reorders it; honest text of any script stays as it is."""

import json
import sys
import unicodedata

import pytest

from route_sql.tools.terminal import escaped, escaped_json

VISIBLE_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Number signs of Arabic and its kin: format characters that are drawn."""


def test_every_control_and_format_character_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in VISIBLE_FORMATS:
            assert character not in escaped(f"a{character}b"), hex(code)
            assert character not in escaped_json(f"a{character}b"), hex(code)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("a\0b\x7f\x9b31m", r"a\x00b\x7f\x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("pass\u200bword\u2066", r"pass\u200bword\u2066"),
        ("ann\u200d\u200c", r"ann\u200d\u200c"),
        ("a\ufe0f\ufe0f\u3164\u034f", r"a\ufe0f\ufe0f\u3164\u034f"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("one\r\ntwo\tthree\u2028", r"one\r\ntwo\tthree\u2028"),
    ],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Zoë, Ἀθηνᾶ, Москва, 東京, 서울",
        "نمی\u200cخواهم",
        "क्\u200dष",
        "👩\u200d❤️\u200d👨 1️⃣ ☎️",
        "葛\U000e0100城",
        "C:\\new\\table",
    ],
)
def test_honest_text_stays(text: str) -> None:
    assert escaped(text) == text


def test_line_breaks_stay_where_lines_are_wanted() -> None:
    assert escaped("SELECT 1\r\n\t, 2\rx", lines=True) == "SELECT 1\n\t, 2\\rx"


def test_json_means_what_it_meant() -> None:
    value = {"\x1b]0;x\x07": ["\x9b", "\u202e\u200d", "\U000e0041", "\ud800", "\x00\n", "Zoë", 2**60, None]}
    assert json.loads(escaped_json(value)) == value
    assert escaped_json("Zoë") == '"Zoë"'
    assert escaped_json("Zoë\U0001f469", only_ascii=True).isascii()
