import pytest

from route_sql.agents import noise_corrector
from route_sql.agents.noise_corrector import Verdict

SQL = "SELECT name FROM singer"


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("verdict: right", Verdict("right")),
        ("Verdict: RIGHT.", Verdict("right")),
        (f"verdict: wrong\n{SQL}", Verdict("wrong", SQL)),
        (f"**Verdict:** wrong\n```sql\n{SQL};\n```", Verdict("wrong", SQL)),
        (f"Let me see.\nverdict: wrong\n\n{SQL}\n", Verdict("wrong", SQL)),
        ("verdict: wrong", Verdict("wrong", None)),
        ("verdict: unsure", None),
        (f"This is wrong.\n{SQL}", None),
        ("The verdict is right", None),
        (SQL, None),
        ("", None),
        (f"verdict: right\nBut the year is missing.\nverdict: wrong\n{SQL}", Verdict("wrong", SQL)),
        (f"verdict: wrong\n{SQL}\n\nNo, it was right.\nverdict: right", Verdict("right")),
        (f"verdict: wrong\nSELECT 1\n\nOr better:\nverdict: wrong\n{SQL}", Verdict("wrong", SQL)),
        (f"verdict: wrong\n```sql\n{SQL}\n```\nverdict: wrong", Verdict("wrong", SQL)),
        (f"verdict: wrong\n{SQL}\nverdict: right\nverdict: wrong", Verdict("wrong", None)),
        (f"verdict: right\n{SQL}\nverdict: wrong", Verdict("wrong", None)),
        (f'{{"verdict": "wrong", "sql": "{SQL}"}}', Verdict("wrong", SQL)),
    ],
)
def test_only_the_fixed_form_is_a_verdict(reply: str, verdict: Verdict | None) -> None:
    assert noise_corrector.parse(reply, "sqlite") == verdict


def test_a_right_verdict_carries_no_correction() -> None:
    assert noise_corrector.parse(f"verdict: right\n{SQL}", "sqlite") == Verdict("right")


def test_a_column_named_verdict_is_no_verdict() -> None:
    sql = "SELECT name\nFROM trial\nWHERE\n  verdict = 'right'"
    assert noise_corrector.parse(f"verdict: wrong\n{sql}", "sqlite") == Verdict("wrong", sql)


@pytest.mark.parametrize("verdict", [Verdict("right"), Verdict("wrong", SQL)])
def test_what_is_written_is_read_back(verdict: Verdict) -> None:
    assert noise_corrector.parse(noise_corrector.write(verdict), "sqlite") == verdict
