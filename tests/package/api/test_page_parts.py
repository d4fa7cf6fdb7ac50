"""Parts of the page alone, in a browser: shown text, CSV and JSON, charts, SQL and differences."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.browser import needs_browser
from support.served_page import serving_page, visiting

from route_sql.tools.terminal import escaped

# One browser for all tests of the file, so they share its event loop.
pytestmark = [*needs_browser, pytest.mark.asyncio(loop_scope="module")]

TEXTS = [
    "plain",
    "",
    "a\x00b\x1b[0m\x7f\x9f",
    "line\nend\r\ttab",
    "\u202eright to left\u2066\u2069",
    "zero\u200bwidth\ufeff",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "a\u200cb",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u2764\ufe0f",
    "1\ufe0f\u20e3",
    "x\ufe0f",
    "\u2764\ufe0f\u200d\U0001f525",
    "\U000e0041tag",
    "\xad soft",
    "\u3164\u115f",
    "\u2028\u2029",
    "\U0001d173",
    "caf\xe9 \u6f22\u5b57",
]
CELLS: list[Any] = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    " =1",
    "\t=1",
    "\uff1d1",
    "a=1",
    "a;=1",
    'say "hi"',
    "two\nlines",
    "",
    None,
    -5,
    1.5,
    True,
    "-12.50",
    "+1e5",
    "-1-1",
    "\n=1",
]
CHARTS: list[tuple[list[str], list[list[Any]], Any]] = [
    (["city", "n"], [["a", 1], ["b", 2]], ("bars", 0, [1])),
    (["n", "city"], [[1, "a"], [2, "b"]], ("bars", 1, [0])),
    (["id", "city", "n"], [[1, "a", 5], [2, "b", 6]], ("bars", 1, [2])),
    (["city", "n"], [["a", 1], ["a", 2]], None),
    (["city", "n"], [["a", 1]], None),
    (["city", "n"], [[str(place), place] for place in range(25)], None),
    (["city", "zip"], [["a", "1"], ["b", "2"]], None),
    (["year", "n"], [[2023, 1], [2024, 2]], ("line", 0, [1])),
    (["count", "n"], [[2023, 1], [2024, 2]], None),
    (["day", "a", "b"], [["2024-01-02", 1, None], ["2024-01-03", 2, 4], ["2024-01-04", 3, 5]], ("line", 0, [1, 2])),
    (["at", "n"], [["2024-01-02 10:00", 1], ["2024-01-02 11:00:30", 2]], ("line", 0, [1])),
    (["day", "n"], [["2024-13-45", 1], ["2024-01-02", 2]], ("bars", 0, [1])),
]  # fmt: skip
QUERIES = [
    "SELECT a, 'it''s' FROM \"t t\" -- end\nWHERE [x] = 1.5e3 /* open",
    "select `a` from t where s = 'open",
    "SELECT \u00e9t\u00e9, $1 FROM t; %",
]


async def in_page(browser: Any, folder: Path, module: str, script: str, given: Any) -> Any:
    async with serving_page(folder) as address, visiting(browser, address) as visit:
        call = f"async (given) => {{ const part = await import('/static/{module}.js'); return ({script})(given); }}"
        return await visit.page.evaluate(call, given)


async def test_text_is_shown_as_the_terminal_shows_it(browser: Any, tmp_path: Path) -> None:
    shown = await in_page(browser, tmp_path, "text", "(texts) => texts.map((text) => part.visible(text))", TEXTS)
    assert shown == [escaped(text) for text in TEXTS]


async def test_csv_and_json_keep_values_and_run_nothing(browser: Any, tmp_path: Path) -> None:
    columns, rows = ["v", "v", "=c"], [[cell, 1, None] for cell in CELLS]
    script = "([columns, rows]) => [part.asCsv(columns, rows), part.asJson(columns, rows)]"
    text, objects = await in_page(browser, tmp_path, "downloads", script, [columns, rows])
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == ["v", "v", "'=c"]
    assert [row[0] for row in read[1:]] == [
        "'=1+1", "+1", "-1", "'@SUM(1)", "' =1", "'\t=1", "'\uff1d1", "a=1", "a;=1", 'say "hi"', "two\nlines", "", "",
        "-5", "1.5", "true", "-12.50", "+1e5", "'-1-1", "'\n=1",
    ]  # fmt: skip
    assert '"a;=1"' in text and '\r\n"",1,\r\n,1,\r\n' in text, "an empty text is not NULL"
    assert json.loads(objects) == [{"v": cell, "v_2": 1, "=c": None} for cell in CELLS]


COUNTS = [
    ([["a"]], 1, False, "1 row"),
    ([["a"]] * 2, 5, True, "5 rows, 2 here; there are more, which a limit cut"),
    ([["a"], ["b…"]], 2, True, "2 rows; long texts, and perhaps rows, were cut at a limit"),
    ([["a"], ["b…"]], 2, False, "2 rows"),
    ([], 2, False, "2 rows, which a long thread leaves out; the report shows them"),
    ([], 0, False, "0 rows"),
]  # fmt: skip


async def test_the_count_says_what_a_limit_cut(browser: Any, tmp_path: Path) -> None:
    given = [{"rows": rows, "row_count": count, "truncated": truncated} for rows, count, truncated, _ in COUNTS]
    shown = await in_page(browser, tmp_path, "rows", "(all) => all.map(part.countText)", given)
    assert shown == [expected for *_, expected in COUNTS]
    script = "(answer) => part.rowsView({ ...answer, columns: ['n'] }, '').querySelectorAll('table, button').length"
    assert await in_page(browser, tmp_path, "rows", script, given[-2]) == 0


async def test_what_is_a_chart(browser: Any, tmp_path: Path) -> None:
    script = "(cases) => cases.map(([columns, rows]) => part.chartOf(columns, rows))"
    charts = await in_page(browser, tmp_path, "chart", script, [case[:2] for case in CHARTS])
    found = [chart and (chart["kind"], chart["label"], chart["numbers"]) for chart in charts]
    assert found == [expected for *_, expected in CHARTS]


@pytest.mark.parametrize(("labels", "kind"), [(["a", "b", "c"], "rect"), (["2023", "2024", "2025"], "circle")])
async def test_integers_of_64_bits_are_drawn(browser: Any, tmp_path: Path, labels: list[str], kind: str) -> None:
    script = """async ([labels, kind]) => {
        const { parsed } = await import("/static/client.js");
        const numbers = parsed("[9007199254740993, 4503599627370496, -9223372036854775808]");
        const view = part.chartView(["name", "total"], labels.map((label, place) => [label, numbers[place]]));
        document.body.append(view);
        await new Promise((drawn) => setTimeout(drawn, 200));
        return [view.textContent, view.querySelectorAll(kind).length];
    }"""
    text, count = await in_page(browser, tmp_path, "chart", script, [labels, kind])
    assert f"Highest: {labels[0]}, 9,007,199,254,740,99" in text and f"Lowest: {labels[2]}, -9,223,372," in text
    assert count == 3


async def test_numbers_that_no_picture_can_hold_are_no_chart(browser: Any, tmp_path: Path) -> None:
    script = """() => part.chartOf(["name", "n"], [["a", 10n ** 400n], ["b", 1]])"""
    assert await in_page(browser, tmp_path, "chart", script, None) is None


async def test_bars_below_zero_stay_in_the_picture(browser: Any, tmp_path: Path) -> None:
    script = """(points) => {
        const series = { points, summary: "" };
        return [...part.barChart(series, 320).querySelectorAll("rect")].map((bar) =>
            [bar.getAttribute("x"), bar.getAttribute("width")].map(Number));
    }"""
    given = [{"label": "a long name of a category", "value": -20}, {"label": "b", "value": 1000}]
    bars = await in_page(browser, tmp_path, "drawing", script, given)
    assert all(x >= 0 and width > 0 and x + width <= 320 for x, width in bars)
    assert bars[0][0] + bars[0][1] == pytest.approx(bars[1][0]), "both begin at zero"


async def test_sql_is_cut_into_tokens_and_compared(browser: Any, tmp_path: Path) -> None:
    script = "(queries) => queries.map((sql) => part.tokens(sql))"
    cut = await in_page(browser, tmp_path, "sql", script, QUERIES)
    assert ["".join(text for _, text in tokens) for tokens in cut] == QUERIES
    assert [kind for kind, text in cut[0] if text.strip()] == [
        "keyword", "word", "other", "text", "keyword", "quoted", "comment", "keyword", "quoted", "other", "number",
        "comment",
    ]  # fmt: skip
    script = """([before, now]) =>
        part.differences(part.tokens(before), part.tokens(now)).map(([how, [, text]]) => [how, text])"""
    changes = await in_page(browser, tmp_path, "sql", script, ["select A  from t", "SELECT b FROM t"])
    assert [change for change in changes if change[0] != "same"] == [["gone", "A"], ["new", "b"]]
    assert "".join(text for how, text in changes if how != "gone") == "SELECT b FROM t"


async def test_right_to_left_names_of_a_query_reorder_nothing(browser: Any, tmp_path: Path) -> None:
    script = "(sql) => [...part.sqlBlock(sql).querySelectorAll('bdi')].map((each) => each.textContent)"
    sql = 'SELECT "שם", עיר FROM t WHERE name = 1'
    assert await in_page(browser, tmp_path, "sql", script, sql) == ['"שם"', "עיר"]
