"""The earlier turn of a thread as evidence."""

from route_sql.agents.follow_up import EARLIER_SQL_CHARS, EarlierTurn, with_earlier_turn

CATS = EarlierTurn("How many cats are there?", "SELECT COUNT(*)\nFROM cat;", ["COUNT(*)"])


def test_the_earlier_turn_is_one_line() -> None:
    written = with_earlier_turn("", CATS)
    assert written == "Earlier question: How many cats are there? SQL: SELECT COUNT(*) FROM cat; columns: COUNT(*)"


def test_the_question_s_own_evidence_comes_first() -> None:
    assert with_earlier_turn("old means 10 years", CATS).startswith("old means 10 years Earlier question: How many")


def test_a_long_query_is_clipped() -> None:
    long = EarlierTurn("q", "SELECT " + "a, " * 2_000 + "b FROM t", ["a"])
    assert len(with_earlier_turn("", long)) < EARLIER_SQL_CHARS + 100
