"""Right-to-left names and texts of a query, as a page shows them."""

import pytest

from route_sql.pages.engine import isolated_sql


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 'שם', 1", "SELECT <bdi>&#39;שם&#39;</bdi>, 1"),
        ('SELECT "اسم العميل" FROM t', "SELECT <bdi>&#34;اسم العميل&#34;</bdi> FROM t"),
        ("SELECT עיר = 1 -- it's", "SELECT <bdi>עיר</bdi> = 1 -- it&#39;s"),
        ("SELECT '<b>' AS ü\n\u202e", "SELECT &#39;&lt;b&gt;&#39; AS ü\n\\u202e"),
        (None, ""),
    ],
    ids=["text", "name in quotes", "bare name", "no such letters", "no query"],
)
def test_each_is_isolated_from_what_is_around_it(sql: str | None, shown: str) -> None:
    assert isolated_sql(sql) == shown
