"""The page of the HTTP app: ask, watch, read, decide, follow up, and the history."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.browser import needs_browser
from support.served_page import COUNTRIES, gated, serving_page, visiting

from route_sql.graph.context import Context
from route_sql.testing import ScriptedModel

# One browser for all tests of the file, so they share its event loop.
pytestmark = [*needs_browser, pytest.mark.asyncio(loop_scope="module")]

IDS = (
    "SELECT 9007199254740993 AS a, 1 AS b UNION ALL SELECT -9223372036854775807 - 1, 1e300 UNION ALL SELECT NULL, NULL"
)
TOTALS = [["France", "30"], ["Spain", "10"], ["Italy", "200"], ["Peru", "NULL"]]


async def downloaded(page: Any, name: str) -> tuple[str, str]:
    async with page.expect_download() as begun:
        await page.get_by_role("button", name=name).click()
    file = await begun.value
    return file.suggested_filename, Path(await file.path()).read_text(encoding="utf-8")


async def test_a_question_is_answered_with_rows_chart_sql_and_cost(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        card = await visit.answered()
        assert await visit.rows(card) == TOTALS
        assert await visit.page.evaluate("document.activeElement.textContent") == "Answer"
        assert await visit.page.input_value("#question") == ""
        text = await card.inner_text()
        for expected in ("not calibrated", "4 rows", "Cost: 1 call", COUNTRIES):
            assert expected in text, expected
        assert "SELECT" in await card.locator(".sql b").all_inner_texts()
        chart = card.get_by_role("img")
        assert await chart.get_attribute("aria-label") == (
            "Bar chart: total by country, 3 values. Highest: Italy, 200. Lowest: Spain, 10."
        )
        assert await chart.locator("rect").count() == 3
        async with visit.page.context.expect_page() as opened:
            await card.get_by_role("link", name="Report").click()
        report = await opened.value
        await report.wait_for_load_state()
        assert await report.title() == "Total by country?" and await report.locator("svg circle").count() > 2


async def test_the_story_is_told_while_the_run_works(browser: Any, tmp_path: Path) -> None:
    model = gated()
    async with serving_page(tmp_path, model) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        present = visit.page.locator(".running .present")
        await present.get_by_text("still").wait_for()  # the server says so while the model is silent
        assert await visit.page.locator("#live").inner_text() != ""
        assert await visit.page.locator("#database").is_disabled()
        model.gate.set()
        card = await visit.answered()
        steps = visit.page.locator(".steps")
        assert "The run:" in await steps.inner_text() and await card.is_visible()
        await steps.locator("summary").click()
        assert COUNTRIES in await steps.locator(".story").inner_text()


async def test_stop_ends_the_run(browser: Any, tmp_path: Path) -> None:
    model = gated()
    async with serving_page(tmp_path, model) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        await visit.page.get_by_text("still").wait_for()
        await visit.page.click("#stop")
        await visit.page.get_by_text("Stopped. The question is still in the field.").wait_for()
        await model.stopped.wait()
        await visit.page.locator("#threads").get_by_text("stopped, without an answer").wait_for()
        assert await visit.page.input_value("#question") == "Total by country?"
        model.gate.set()
        await visit.page.get_by_role("button", name="Continue the run").click()
        assert await visit.rows(await visit.answered()) == TOTALS


async def test_rows_are_sorted_and_come_in_parts(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        card = await visit.answered()
        head = card.locator("th").nth(1)
        for order, expected in (("ascending", "Spain"), ("descending", "Italy"), ("none", "France")):
            await head.get_by_role("button").click()
            assert await head.get_attribute("aria-sort") == order
            rows = await visit.rows(card)
            assert rows[0][0] == expected and rows[-1][0] == "Peru", "NULL comes last"
        await visit.ask("All rows?")
        card = await visit.answered(2)
        assert len(await visit.rows(card)) == 100
        await card.get_by_role("button", name="Show 100 more of 250 rows").click()
        assert len(await visit.rows(card)) == 200
        await card.locator("th button").click()
        await card.locator("th button").click()
        assert (await visit.rows(card))[0] == ["250"]
        assert await card.locator("svg").count() == 0, "numbers alone are no chart"


async def test_rows_are_saved_as_csv_and_json(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Which notes?")
        await visit.answered()
        name, text = await downloaded(visit.page, "as CSV")
        with (tmp_path / "saved.csv").open("w+", newline="") as file:
            file.write(text)
            file.seek(0)
            cells = [row[0] for row in csv.reader(file)]
        assert name == "which-notes.csv" and cells[0] == "text"
        assert "'=HYPERLINK(1)" in cells and "'-1+1" in cells, "a spreadsheet would run these"
        name, text = await downloaded(visit.page, "as JSON")
        assert name == "which-notes.json" and {"text": "=HYPERLINK(1)"} in json.loads(text)
        assert any(len(row["text"]) > 900 for row in json.loads(text)), "not clipped as on the page"


async def test_dates_are_a_line(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by month?")
        chart = (await visit.answered()).get_by_role("img")
        label = await chart.get_attribute("aria-label")
        assert label.startswith("Line chart: total by month, 3 values. Highest: 2025-03, 200.")
        assert await chart.locator("polyline").count() == 1 and await chart.locator("circle").count() == 3


async def test_numbers_of_64_bits_stay_exact(browser: Any, tmp_path: Path) -> None:
    model = ScriptedModel(history=[], otherwise=lambda task, prompt: IDS)
    async with serving_page(tmp_path, model) as address, visiting(browser, address) as visit:
        await visit.ask("Which ids?")
        card = await visit.answered()
        assert await visit.rows(card) == [
            ["9007199254740993", "1"],
            ["-9223372036854775808", "1e+300"],
            ["NULL", "NULL"],
        ]
        kinds = [await cell.get_attribute("class") for cell in await card.locator(".rows td").all()]
        assert kinds == ["number"] * 4 + ["number null"] * 2
        await card.locator("th button").first.click()
        assert [row[0][0] for row in await visit.rows(card)] == ["-", "9", "N"]
        for name in ("as CSV", "as JSON"):
            _, text = await downloaded(visit.page, name)
            assert "9007199254740993" in text and "-9223372036854775808" in text and '"9007' not in text
        await visit.page.reload()
        assert (await visit.rows(await visit.answered()))[0][0] == "9007199254740993"


async def test_an_error_is_said_once_and_its_doubt_left_out(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?", "approve")
        await visit.page.get_by_role("button", name="Reject").click()
        text = await (await visit.answered()).inner_text()
        assert text.count("not approved") == 1 and "Doubts" not in text


async def test_a_single_number_is_large(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("How many?")
        assert await (await visit.answered()).locator(".single").inner_text() == "4"


async def test_candidates_are_compared_with_the_answer(browser: Any, tmp_path: Path) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT land FROM sale", "SELECT country FROM sale")
    model.enqueue("link", "{}").enqueue("verdict", "verdict: right")
    context = Context(max_corrections=1)
    async with serving_page(tmp_path, model, context=context) as address, visiting(browser, address) as visit:
        await visit.ask("Which countries?")
        card = await visit.answered()
        await card.get_by_text("Queries that were tried: 2").click()
        assert "unknown column land" in await card.locator(".candidate").nth(0).inner_text()
        assert await card.locator(".candidate ins").all_inner_texts() == ["land"]
        assert await card.locator(".candidate del").all_inner_texts() == ["country"]
        assert "this is the answer" in await card.locator(".candidate").nth(1).inner_text()


@pytest.mark.parametrize("way", ["approve", "edit", "reject"])
async def test_a_query_waits_for_a_person(browser: Any, tmp_path: Path, way: str) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?", "approve")
        asks = visit.page.locator(".asks")
        await asks.wait_for()
        assert COUNTRIES in await asks.inner_text()
        assert await visit.page.evaluate("document.activeElement.textContent") == "May this query run?"
        if way == "approve":
            await asks.get_by_role("button", name="Run it").click()
            assert await visit.rows(await visit.answered()) == TOTALS
        elif way == "edit":
            await asks.get_by_role("button", name="Edit").click()
            field = asks.get_by_label("SQL to run")
            await field.fill("DELETE FROM sale")
            await asks.get_by_role("button", name="Run this query").click()
            await asks.get_by_role("alert").filter(has_text="SELECT").wait_for()
            await field.fill("SELECT 7 AS seven")
            await asks.get_by_role("button", name="Run this query").click()
            assert await visit.rows(await visit.answered()) == [["7"]]
        else:
            await asks.get_by_label("Reason").fill("wrong table")
            await asks.get_by_role("button", name="Reject").click()
            assert "wrong table" in await (await visit.answered()).inner_text()


async def test_two_windows_of_one_thread(browser: Any, tmp_path: Path) -> None:
    conflict = "Failed to load resource: the server responded with a status of 409"
    async with serving_page(tmp_path) as address, visiting(browser, address, allowed=[conflict]) as visit:
        await visit.ask("Total by country?", "approve")
        await visit.page.locator(".asks").wait_for()
        other = {"question": "How many?", "database": "shop", "thread": visit.page.url.partition("#")[2]}
        async with httpx2.AsyncClient(base_url=address) as http:
            await http.post("/v1/ask", json={**other, "options": {"approve": True}})
            await visit.page.get_by_role("button", name="Run it").click()
            await visit.page.get_by_text("Another question came in between").wait_for()
            await visit.page.get_by_role("button", name="Load the thread again").click()
            await visit.page.locator(".turn").nth(1).get_by_role("button", name="Run it").click()
            await visit.answered(2)
            await http.post("/v1/ask", json={**other, "question": "All rows?"})
        await visit.ask("Which notes?")
        await visit.page.get_by_role("button", name="Run it").click()
        report = await (await visit.answered(3)).get_by_role("link", name="Report").get_attribute("href")
        assert report.endswith("report?turn=4"), "the other window asked the third"


async def test_the_query_of_an_answer_is_edited_and_run(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        card = await visit.answered()
        await card.get_by_role("button", name="Edit and run").click()
        await card.get_by_label("SQL to run").fill("SELECT country FROM sale WHERE total > 20")
        await card.get_by_role("button", name="Run this query").click()
        second = await visit.answered(2)
        assert await visit.rows(second) == [["France"], ["Italy"]]
        assert "with your own query" in await visit.page.locator(".turn").nth(1).inner_text()


async def test_an_edited_query_asks_no_model(browser: Any, tmp_path: Path) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT 1 AS one")
    async with serving_page(tmp_path, model) as address, visiting(browser, address) as visit:
        await visit.ask("How many?")
        card = await visit.answered()
        await card.get_by_role("button", name="Edit and run").click()
        await card.get_by_label("SQL to run").fill("SELECT 2 AS two")
        await card.get_by_role("button", name="Run this query").click()
        second = await visit.answered(2)
        assert await visit.rows(second) == [["2"]] and "Cost" not in await second.inner_text()
        assert len(model.history) == 1
        await visit.page.reload()
        assert await visit.rows(await visit.answered(2)) == [["2"]]
        facts = [await turn.locator("p.soft").first.inner_text() for turn in await visit.page.locator(".turn").all()]
        assert ["own query" in fact for fact in facts] == [False, True]


async def test_an_edited_query_waits_where_the_server_wants_approval(browser: Any, tmp_path: Path) -> None:
    context = Context(strategy="single", approve=True)
    async with serving_page(tmp_path, context=context) as address, visiting(browser, address) as visit:
        await visit.ask("How many?")
        await visit.page.get_by_role("button", name="Run it").click()
        card = await visit.answered()
        await card.get_by_role("button", name="Edit and run").click()
        await card.get_by_label("SQL to run").fill("SELECT 2 AS two")
        await card.get_by_role("button", name="Run this query").click()
        await visit.page.locator(".asks").get_by_role("button", name="Run it").click()
        assert await visit.rows(await visit.answered(2)) == [["2"]]


async def test_an_unclear_word_is_asked_back(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("What are the names?", "clarify")
        await visit.page.get_by_text('What does "name" refer to?').wait_for()
        await visit.page.get_by_role("button", name="supplier.name").click()
        card = await visit.answered()
        assert "refers to supplier.name" in await card.inner_text() and await visit.rows(card) == TOTALS
        await visit.ask("Which name?")
        await visit.page.get_by_label("in your own words").fill("the customer's name")
        await visit.page.get_by_role("button", name="Use this").click()
        assert "A person said: the customer's name" in await (await visit.answered(2)).inner_text()


async def test_a_follow_up_belongs_to_its_thread_and_a_thread_to_the_history(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        await visit.answered()
        await visit.ask("And by month?")
        second = await visit.answered(2)
        assert "Read as a follow-up of: Total by country?" in await second.inner_text()
        await visit.page.click("#new")
        assert await visit.page.locator(".turn").count() == 0
        await visit.ask("How many?")
        await visit.answered()
        threads = visit.page.locator("#threads li")
        await threads.nth(1).get_by_text("2 questions").wait_for()
        await threads.nth(1).locator(".thread").click()
        await visit.answered(2)
        assert await visit.page.locator(".turn h2").all_inner_texts() == ["Total by country?", "And by month?"]
        await visit.page.reload()  # the address names the thread
        assert await visit.rows(await visit.answered(1)) == TOTALS
        named = visit.page.url
        await visit.page.click("#new")
        await visit.page.goto(named)  # as by a link, without loading the page again
        await visit.answered(2)
        await visit.ask("Which notes?")
        await visit.answered(3)
        await threads.filter(has_text="How many?").get_by_role("button", name="Delete").click()
        await visit.page.get_by_role("button", name="Delete for good").click()
        await threads.filter(has_text="How many?").wait_for(state="detached")
        await visit.page.reload()
        await visit.answered(3)
        assert await threads.count() == 1
        await threads.get_by_role("button", name="Delete").click()
        await visit.page.get_by_role("button", name="Delete for good").click()
        await visit.page.get_by_text("Ask your database in plain words").wait_for()
        assert await visit.page.locator(".turn").count() == 0 and "#" not in visit.page.url


async def test_a_thread_that_comes_late_replaces_nothing(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        for question in ("How many?", "Which notes?"):
            await visit.page.click("#new")
            await visit.ask(question)
            await visit.answered()
        threads = visit.page.locator("#threads li .thread")
        first = asyncio.Event()

        async def late(route: Any) -> None:
            if not first.is_set():
                first.set()
                await asyncio.sleep(1.5)
            await route.continue_()

        await visit.page.route("**/v1/threads/*", late)
        await threads.filter(has_text="How many?").click()
        await asyncio.wait_for(first.wait(), 20)
        await threads.filter(has_text="Which notes?").click()
        await asyncio.sleep(3)
        assert await visit.page.locator(".turn h2").all_inner_texts() == ["Which notes?"]


async def test_a_decision_waits_in_the_history(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?", "approve")
        await visit.page.get_by_text("waits for your approval").wait_for()
        await visit.page.reload()
        await visit.page.get_by_role("button", name="Run it").click()
        assert await visit.rows(await visit.answered()) == TOTALS
        await visit.ask("How many?", "approve")
        await visit.page.locator(".asks").wait_for()
        await visit.ask("Total by month?")
        await visit.page.get_by_text("Not decided: another question was asked.").wait_for()


async def test_the_schema_is_browsed(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        tables = visit.page.locator("#tables > li:not([hidden])")
        await visit.page.get_by_text("4 tables").wait_for()
        await visit.page.fill("#find", "city")
        await visit.page.get_by_text("2 of 4 tables").wait_for()
        assert await tables.locator("summary .name").all_inner_texts() == ["customer", "supplier"]
        await tables.first.locator("summary").click()
        shown = await tables.first.inner_text()
        assert "key" in shown and "TEXT" in shown and "Bergen" in shown
