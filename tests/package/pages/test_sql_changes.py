"""Differences between two queries, as the pages mark them."""

import pytest

from route_sql.pages.sql_changes import MOST_CHARS, changed_pieces


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, "SELECT 1", "SELECT 1"),
        ("SELECT a FROM t", "SELECT b FROM t", "SELECT -a+b FROM t"),
        ("select  A\nfrom t", "SELECT a FROM t", "SELECT a FROM t"),
        ("SELECT 'Oslo'", "SELECT 'oslo'", "SELECT -'Oslo'+'oslo'"),
        ("SELECT 'a b'", "SELECT 'a  b'", "SELECT -'a b'+'a  b'"),
        ("SELECT a", "SELECT a, b", "SELECT a+, b"),
        ("SELECT a, b", "SELECT a", "SELECT a-, b"),
    ],
)
def test_words_that_differ_are_marked(before: str | None, now: str, expected: str) -> None:
    sign = {"same": "", "new": "+", "gone": "-"}
    pieces = changed_pieces(before, now)
    assert "".join(sign[piece.kind] + piece.text for piece in pieces) == expected
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == now


def test_a_very_long_query_is_not_compared() -> None:
    assert [piece.kind for piece in changed_pieces("x " * MOST_CHARS, "y " * MOST_CHARS)] == ["same"]
