"""The page where things are hard: hostile cells, keys, a server that dies, the keyboard alone, a phone, the dark."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.browser import needs_browser
from support.chat_stub import ChatStub, completion, hanging
from support.served_page import COUNTRIES, HOSTILE, gated, make_shop, serving_page, visiting
from support.server_processes import free_port

from route_sql.access.callers import Caller
from route_sql.access.keys import Callers
from route_sql.tools.schema.rights.visibility import Visibility

# One browser for all tests of the file, so they share its event loop.
pytestmark = [*needs_browser, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[3]
KEY, OTHER = "analyst-key-0123456789", "guest-key-0123456789abc"
KEYS = Callers({KEY: Caller("analyst"), OTHER: Caller("guest", Visibility(("sale",)))})
UNAUTHORIZED = "Failed to load resource: the server responded with a status of 401"
NOT_FOUND = "Failed to load resource: the server responded with a status of 404"
BROKEN = "Failed to load resource: net::ERR_"


async def test_hostile_cells_are_text(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask(f"Which notes? {HOSTILE[0]}")
        card = await visit.answered()
        cells = [row[0] for row in await visit.rows(card)]
        assert cells[:3] == HOSTILE[:3] and cells[4:6] == [r"\u202eowned\u2066\u200b", r"a\x1b[31mb\nc"]
        assert len(cells[3]) < 400
        await card.get_by_role("button", name=re.compile("Show all .* characters")).click()
        assert len((await visit.rows(card))[3][0]) > 900
        assert await visit.page.locator("main img, main script, main iframe, [onload], [onerror], [style]").count() == 0
        await visit.page.locator("#tables summary").filter(has_text="note").click()
        await visit.page.wait_for_timeout(200)  # a script that slipped through would have run; `visiting` checks it


async def test_the_policy_is_strict_and_stops_scripts(browser: Any, tmp_path: Path) -> None:
    async with (
        serving_page(tmp_path) as address,
        visiting(browser, address, allowed=["Executing inline", "Failed to load", "Loading the image"]) as visit,
    ):
        answer = await visit.page.request.get(address)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        await visit.page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", HOSTILE[0])
        await visit.page.wait_for_timeout(200)
        assert any("inline" in line for line in visit.complaints), "the policy was not asked"


async def test_a_key_is_asked_for_and_kept_in_the_tab_alone(browser: Any, tmp_path: Path) -> None:
    known = [UNAUTHORIZED, NOT_FOUND]
    async with serving_page(tmp_path, callers=KEYS) as address, visiting(browser, address, allowed=known) as visit:
        dialog = visit.page.get_by_role("dialog", name="This server needs a key")
        await dialog.wait_for()
        assert "session storage" in await dialog.inner_text()
        await visit.page.keyboard.press("Escape")
        await visit.page.locator("#ask-problem").get_by_text("A key is needed").wait_for()
        await visit.page.reload()
        await visit.page.fill("#key", "two words")
        await visit.page.keyboard.press("Enter")
        await dialog.get_by_text("no blanks").wait_for()
        await visit.page.fill("#key", "wrong-key-0123456789")
        await visit.page.keyboard.press("Enter")
        await dialog.get_by_text("does not know this key").wait_for()
        await visit.page.fill("#key", KEY)
        await visit.page.keyboard.press("Enter")
        await visit.page.get_by_text("4 tables").wait_for()
        await visit.ask("Total by country?")
        card = await visit.answered()
        async with visit.page.expect_download() as saved:
            await card.get_by_role("button", name="Save the report").click()
        assert "Total by country?" in Path(await (await saved.value).path()).read_text()
        kept = "[Object.values(localStorage), document.cookie, location.href, document.documentElement.outerHTML]"
        assert KEY not in str(await visit.page.evaluate(kept)) and not [url for url in visit.asked if KEY in url]
        await visit.page.click("#forget-key")
        await dialog.wait_for()
        await visit.page.fill("#key", OTHER)
        await visit.page.keyboard.press("Enter")
        await visit.page.get_by_text("1 table", exact=True).wait_for()
        await visit.page.get_by_text("Nothing was asked so far.").wait_for()
        await visit.page.goto("about:blank")
        await visit.page.goto(f"{address}#{'0' * 32}")
        await visit.page.get_by_text("There is no such thread").wait_for()


async def test_an_address_that_names_no_thread_leaves_a_page_that_works(browser: Any, tmp_path: Path) -> None:
    wrong = ["Failed to load resource: the server responded with a status of 4"]
    async with serving_page(tmp_path) as address, visiting(browser, address, allowed=wrong) as visit:
        for before in (address, "about:blank"):  # the page that is open changes its address, or is opened with it
            await visit.page.goto(before)
            await visit.page.goto(f"{address}#%")
            await visit.page.get_by_text("4 tables").wait_for()
            await visit.page.locator("#ask-problem").get_by_text("can't be used").wait_for()


@asynccontextmanager
async def command(port: int, folder: Path, model: str) -> AsyncIterator[Any]:
    """The real command in a process of its own."""
    words = ["api", "--db", str(folder / "shop.sqlite"), "--port", str(port), "--strategy", "single"]
    place = {"ROUTE_SQL_THREADS": str(folder / "threads.sqlite"), "ROUTE_SQL_MODEL": model, "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "route_sql", *words, env={**os.environ, **place}, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx2.AsyncClient() as client:
            while True:
                assert process.returncode is None, (await process.communicate())[1]
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                        break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.communicate()


async def test_a_server_that_dies_leaves_the_question(browser: Any, tmp_path: Path, stub: ChatStub) -> None:
    make_shop(tmp_path)
    port = free_port()
    stub.enqueue(hanging, completion(COUNTRIES))
    async with command(port, tmp_path, stub.url) as process:
        async with visiting(browser, f"http://127.0.0.1:{port}/", allowed=[BROKEN]) as visit:
            await visit.ask("Total by country?")
            await visit.page.get_by_text("still").wait_for()
            process.send_signal(signal.SIGKILL)
            await visit.page.get_by_text("The connection broke before the answer came.").wait_for()
            assert await visit.page.input_value("#question") == "Total by country?"
            await process.communicate()
            await visit.page.press("#question", "Enter")
            await visit.page.locator(".problem").get_by_text("The server can't be reached.").wait_for()
            assert await visit.page.input_value("#question") == "Total by country?"
            async with command(port, tmp_path, stub.url):
                await visit.page.get_by_role("button", name="Ask again").click()
                assert len(await visit.rows(await visit.answered())) == 4


async def test_the_keyboard_is_enough(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        press = visit.page.keyboard.press

        async def reach(selector: str) -> None:
            for _ in range(40):
                await press("Tab")
                if await visit.page.evaluate("name => document.activeElement.matches(name)", selector):
                    shown = "parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"
                    assert await visit.page.evaluate(shown), f"the focus on {selector} can't be seen"
                    return
            raise AssertionError(f"{selector} can't be reached")

        await reach(".skip")
        await press("Enter")
        await visit.page.keyboard.type("Total by country?")
        await reach("#ask-form summary")
        await press("Enter")
        await reach("#approve")
        await press("Space")
        await visit.page.keyboard.press("Shift+Tab")
        await visit.page.focus("#question")
        await press("Enter")
        await visit.page.locator(".asks").wait_for()
        await reach(".asks button.main")
        await press("Enter")
        card = await visit.answered()
        await reach(".sort")
        await press("Enter")
        assert await card.locator("th").first.get_attribute("aria-sort") == "ascending"
        await reach(".query button")
        await press("Enter")
        assert await visit.page.evaluate("document.activeElement.className") == "code"


async def test_names_and_landmarks_for_screen_readers(browser: Any, tmp_path: Path) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address) as visit:
        await visit.ask("Total by country?")
        await visit.answered()
        for role, name in (("navigation", "Threads"), ("complementary", "Schema"), ("main", None), ("banner", None)):
            assert await visit.page.get_by_role(role, name=name).count() == 1, role
        for role in ("button", "textbox", "combobox", "checkbox", "searchbox", "link"):
            for control in await visit.page.get_by_role(role).all():
                assert '"' in await control.aria_snapshot(), await control.evaluate("e => e.outerHTML")
        assert await visit.page.locator("#live").get_attribute("role") == "status"
        assert await visit.page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_needs_no_sideways_scroll(browser: Any, tmp_path: Path, scheme: str) -> None:
    async with serving_page(tmp_path) as address, visiting(browser, address, 360, scheme) as visit:
        await visit.ask("Which notes?")
        await visit.answered()
        await visit.ask("Total by country?", "approve")
        await visit.page.locator(".asks").wait_for()
        for part in await visit.page.locator("summary").all():
            await part.click()
        await visit.page.get_by_role("button", name=re.compile("Show all .* characters")).first.click()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        ground = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(20, 20, 28)") == (scheme == "dark")
        assert await visit.page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const light = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return /, 0\\)$/.test(color) && element.parentElement ? ground(element.parentElement) : color;
  };
  const texts = [...document.querySelectorAll("main *, nav *, aside *, header *")].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) &&
    !element.closest("svg, [disabled], option"));
  return texts.filter((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map((element) => element.outerHTML.slice(0, 80));
}"""
"""Texts whose contrast is below WCAG's 4.5."""


async def test_nothing_moves_for_those_who_want_that(browser: Any, tmp_path: Path) -> None:
    running = "getComputedStyle(document.querySelector('.running .present'), '::before').animationName"
    async with serving_page(tmp_path) as address, visiting(browser, address, reduced_motion="reduce") as visit:
        await visit.page.evaluate(
            "document.querySelector('main').innerHTML += \"<div class=running><p class=present>x</p></div>\""
        )
        assert await visit.page.evaluate(running) == "none"


async def test_the_history_notices_the_end_of_a_run_after_a_poll_that_failed(browser: Any, tmp_path: Path) -> None:
    model = gated()
    async with (
        serving_page(tmp_path, model) as address,
        visiting(browser, address) as asking,
        visiting(browser, address, allowed=[BROKEN]) as watching,
    ):
        await asking.ask("Total by country?")
        await asking.page.get_by_text("still").wait_for()
        await watching.page.reload()
        threads = watching.page.locator("#threads")
        await threads.get_by_text("at work").wait_for()
        await watching.page.context.set_offline(True)
        await watching.page.locator("#threads-state").get_by_text("The server can't be reached").wait_for()
        await watching.page.context.set_offline(False)
        model.gate.set()
        await asking.answered()
        await threads.get_by_text("at work").wait_for(state="detached")
        assert await watching.page.locator("#threads-state").inner_text() == ""
