"""Cells of every engine as plain JSON, and digests that compare them by value."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from route_sql.tools.database.outcome import ERROR_CHARS, failed
from route_sql.tools.database.running.rows import fetch, result_digest
from route_sql.tools.limits import Limits


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal(7), 7),
        (Decimal("10.50"), 10.5),
        (Decimal("0.1"), 0.1),
        (Decimal("1E+3"), 1000.0),
        (Decimal("3.333333333333333"), 3.333333333333333),
        (Decimal("3.3333333333333333333"), "3.3333333333333333333"),
        (Decimal("0.10000000000000000001"), "0.10000000000000000001"),
        (Decimal("12345678901234567.89"), "12345678901234567.89"),
        (Decimal("9007199254740993.0"), "9007199254740993.0"),
        (Decimal("1E-400"), "0." + "0" * 399 + "1"),
        (Decimal(10**30), "1" + "0" * 30),
        (Decimal("1E+30"), "1" + "0" * 30),
        (2**53 + 1, 2**53 + 1),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        ([2**64, Decimal("0.10000000000000000001")], '["18446744073709551616", "0.10000000000000000001"]'),
        ("half \ud800", "half \\ud800"),
        (timedelta(hours=-1), "-01:00:00"),
        (timedelta(days=34, hours=22, seconds=1.5), "838:00:01.5"),
        (Decimal("1E+5000"), "1E+5000"),
        (Decimal("NaN"), "nan"),
        (Decimal("-Infinity"), "-inf"),
        (["a", None, [Decimal("1.5"), b"\0"]], '["a", null, [1.5, "x\'00\' (1 byte)"]]'),
        ({"k": (1, True)}, '{"k": [1, true]}'),
    ],
)
def test_values_are_plain(value: object, plain: object) -> None:
    [[cell]] = fetch([[value]], Limits()).rows
    assert cell == plain and type(cell) is type(plain)
    assert json.loads(json.dumps(cell)) == plain
    serde = JsonPlusSerializer()
    assert serde.loads_typed(serde.dumps_typed(cell)) == plain


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (Decimal("10.50"), 10.5),
        (Decimal("2.00"), 2),
        (Decimal("-0.0"), 0),
        (Decimal("0.1"), 0.1),
        (Decimal(9223372036854775807), 9223372036854775807),
        (Decimal("3.33333333333333"), 10 / 3),
        (Decimal("NaN"), float("nan")),
        ([1, 2], (1, 2)),
    ],
)
def test_equal_values_have_equal_digests(value: object, other: object) -> None:
    assert result_digest([[value]]) == result_digest([[other]])


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (Decimal("10.5"), "10.5"),
        (Decimal(9223372036854775807), 9223372036854775806),
        (Decimal("10.51"), 10.5),
        ([1, 2], [2, 1]),
        (Decimal("1E+5000"), Decimal("1E+5001")),
    ],
)
def test_different_values_have_different_digests(value: object, other: object) -> None:
    assert result_digest([[value]]) != result_digest([[other]])


@pytest.mark.parametrize(
    ("rows", "limits", "status", "truncated"),
    [
        ([[1], [2]], Limits(), "ok", False),
        ([[1], [2]], Limits(rows=1), "ok", True),
        ([], Limits(), "empty", False),
        ([["long"]], Limits(result_bytes=1), "ok", True),
    ],
)
def test_a_result_is_empty_only_if_no_limit_kept_a_row_back(
    rows: list[list[object]], limits: Limits, status: str, truncated: bool
) -> None:
    fetched = fetch(rows, limits)
    outcome = fetched.outcome(["a"], 0.5)
    assert (outcome["status"], outcome["truncated"], outcome["error"]) == (status, truncated, None)
    assert (outcome["columns"], outcome["rows"], outcome["row_count"]) == (["a"], fetched.rows, len(fetched.rows))
    assert (outcome["digest"], outcome["seconds"]) == (fetched.digest, 0.5)


@pytest.mark.parametrize("text", ["no such column: " + "x" * 1_000_000, "x" * 1_000_000, "a secret " * 10_000])
def test_a_long_error_is_cut_at_a_whole_word(text: str) -> None:
    error = failed("error", text)["error"]
    assert error is not None and len(error) <= ERROR_CHARS and error.endswith("\u2026")
    assert text.startswith(error[:-1]) and (
        " " not in text[ERROR_CHARS - 200 : ERROR_CHARS] or text[len(error) - 1] == " "
    )
    assert failed("error", text[:ERROR_CHARS])["error"] == text[:ERROR_CHARS]
