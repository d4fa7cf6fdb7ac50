"""Digests of results: equal for equal rows in whatever order, different for all others."""

import pytest

from route_sql.tools.database.running.rows import result_digest


def test_equal_results_have_equal_digests() -> None:
    rows = [(1, "a", None), (2, "b", 0.5), (2, "b", 0.5)]
    turned = [(row[2], row[0], row[1]) for row in reversed(rows)]
    assert result_digest(rows) == result_digest(turned)
    assert result_digest([(1,)]) == result_digest([(1.0,)])
    assert result_digest([(0.1 + 0.2,)]) == result_digest([(0.3,)])
    assert result_digest([(b"a",)]) == result_digest([(bytearray(b"a"),)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([(1,)], [("1",)]),
        ([(1,), (1,)], [(1,)]),
        ([(1, 2), (2, 1)], [(1, 1), (2, 2)]),
        ([(1, 2), (3, 4)], [(1, 4), (3, 2)]),
        ([(None,)], [("",)]),
        ([(b"a",)], [("a",)]),
        ([("ab", "c")], [("a", "bc")]),
        ([(2**63 - 1,)], [(float(2**63),)]),
        ([("x" * 100,)], [("x" * 101,)]),
        ([], [(None,)]),
    ],
)
def test_different_results_have_different_digests(
    one: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    assert result_digest(one) != result_digest(other)
