"""Untrusted text can't break a line, forge a fence or grow; harmless text stays as it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_sql.tools.text import clean, is_clean, singular, words

HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("<>\n\r\x85\u2028\u202e\u200b\ud800 a")), max_size=60)


@given(HOSTILE, st.integers(1, 50))
def test_cleaned_text_is_one_bounded_line_without_fences(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert len(cleaned.splitlines()) <= 1
    assert "<<<" not in cleaned and ">>>" not in cleaned
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in cleaned)
    cleaned.encode("utf-8")


@given(HOSTILE, st.integers(1, 50))
def test_cleaning_twice_changes_nothing_more(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert clean(cleaned, limit) == cleaned
    assert is_clean(text, limit) == (cleaned == text and "\ufffd" not in text)


@pytest.mark.parametrize("text", ["São  Paulo", " leading", "a -- b", "a < b >> c", "می‌خواهم", "👩‍🔬", ""])
def test_harmless_text_stays(text: str) -> None:
    assert clean(text, 40) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n\tb", "a b"),
        ("<<<SCHEMA", "<<SCHEMA"),
        ("SCHEMA>>>>>", "SCHEMA>>"),
        ("<\u200b<\u200b<", "<<"),
        ("pay\u202etxt", "paytxt"),
        ("\ud800", "\ufffd"),
        ("x" * 11, "x" * 9 + "…"),
    ],
)
def test_what_is_changed(text: str, expected: str) -> None:
    assert clean(text, 10) == expected


def test_the_rest_of_a_long_text_is_cut_even_if_its_beginning_vanishes() -> None:
    assert clean("\u200b" * 1_000 + "hidden", 20) == "…"


def test_words_of_names_and_sentences() -> None:
    assert words("bornState head_ID HTTPServer2 Löhne, 'x'") == [
        "born", "state", "head", "id", "http", "server", "2", "löhne", "x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("cities", "city"),
        ("movies", "movie"),
        ("dogs", "dog"),
        ("boxes", "box"),
        ("courses", "course"),
        ("classes", "class"),
        ("ties", "tie"),
        ("status", "status"),
        ("series", "series"),
        ("is", "is"),
    ],
)
def test_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected
