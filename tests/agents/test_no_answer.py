"""The reply to a question that the database can't answer."""

import pytest

from route_sql.agents import generator, no_answer


@pytest.mark.parametrize("reason", ["no column for salary", "no table for pets and owners", no_answer.NOT_A_QUESTION])
def test_a_written_reason_reads_back_and_is_no_sql(reason: str) -> None:
    reply = no_answer.write(reason)
    assert no_answer.parse(reply) == reason
    assert generator.parse(reply, "sqlite") is None


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Unanswerable: no column for salary.\nSELECT 1", "no column for salary"),
        ("`unanswerable - no table for cars`", "no table for cars"),
        ("<think>hm</think>\nunanswerable", "no reason given"),
        ("unanswerable: " + "x" * 900, "x" * 199 + "…"),
    ],
)
def test_other_spellings_are_read(reply: str, reason: str) -> None:
    assert no_answer.parse(reply) == reason


@pytest.mark.parametrize("reply", ["SELECT unanswerable FROM t", "", "The question is unanswerable.", "unanswerables"])
def test_other_replies_give_no_reason(reply: str) -> None:
    assert no_answer.parse(reply) is None


def test_several_missing_names_are_one_reason() -> None:
    assert no_answer.missing("column", ["pay", "bonus"]) == "no column for pay and bonus"
