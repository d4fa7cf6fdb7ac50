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
    ],
)
def test_only_the_fixed_form_is_a_verdict(reply: str, verdict: Verdict | None) -> None:
    assert noise_corrector.parse(reply, "sqlite") == verdict


def test_a_right_verdict_carries_no_correction() -> None:
    assert noise_corrector.parse(f"verdict: right\n{SQL}", "sqlite") == Verdict("right")


@pytest.mark.parametrize("verdict", [Verdict("right"), Verdict("wrong", SQL)])
def test_what_is_written_is_read_back(verdict: Verdict) -> None:
    assert noise_corrector.parse(noise_corrector.write(verdict), "sqlite") == verdict
