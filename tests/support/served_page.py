"""The page of the HTTP app in a real browser: a real server in this process, a scripted model, a SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from route_sql.access.keys import Callers
from route_sql.access.listening import hosts_of, listening
from route_sql.api.app import build_app
from route_sql.api.service import Service
from route_sql.api.threads.checkpoints import open_threads
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

SHOP = """
CREATE TABLE sale (id INTEGER PRIMARY KEY, country TEXT, month TEXT, total REAL);
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE supplier (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO sale (country, month, total) VALUES ('France', '2025-01', 30), ('Spain', '2025-02', 10),
    ('Italy', '2025-03', 200), ('Peru', NULL, NULL);
INSERT INTO customer (name, city) VALUES ('Ida', 'Bergen'), ('Ole', 'Oslo');
INSERT INTO supplier (name, city) VALUES ('Norlys', 'Bergen');
"""
COUNTRIES = "SELECT country, total FROM sale ORDER BY id"
MONTHS = "SELECT month, total FROM sale WHERE month IS NOT NULL"
HOSTILE = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "'\"><svg onload=document.title='owned'>",
    "x" * 10_000,
    "\u202eowned\u2066\u200b",
    "a\x1b[31mb\nc",
    "=HYPERLINK(1)",
    "-1+1",
]
ANSWERS = {
    "country": COUNTRIES,
    "month": MONTHS,
    "many": "SELECT COUNT(*) FROM sale",
    "notes": "SELECT text FROM note ORDER BY id",
    "rows": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) SELECT i FROM n",
}


def make_shop(folder: Path) -> Path:
    """A database with countries, months, names that two tables have, and hostile cells."""
    path = folder / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SHOP)
        connection.executemany("INSERT INTO note (text) VALUES (?)", [(text,) for text in HOSTILE])
    return path


def scripted_by_question(task: str, prompt: str) -> str:
    """The query for the word that the question has; without one the countries. Verdicts approve."""
    if task != "sql":
        return "verdict: right" if task == "verdict" else "{}"
    asked = prompt.partition("\nQuestion: ")[2].partition("\n")[0].lower()
    return next((sql for word, sql in ANSWERS.items() if word in asked), COUNTRIES)


class Gated(ScriptedModel):
    """A model that replies when its gate opens, and counts the calls that were stopped."""

    gate: asyncio.Event = asyncio.Event()
    stopped: asyncio.Event = asyncio.Event()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        return await super()._agenerate(*args, **kwargs)


def gated() -> Gated:
    """A model whose gate is shut."""
    return Gated(history=[], otherwise=scripted_by_question, gate=asyncio.Event(), stopped=asyncio.Event())


@asynccontextmanager
async def serving_page(
    folder: Path, model: ScriptedModel | None = None, callers: Callers | None = None, context: Context | None = None
) -> AsyncIterator[str]:
    """The address of a server of the shop."""
    shop = folder / "shop.sqlite"
    catalog, name = Catalog.from_url(shop if shop.exists() else make_shop(folder))
    with listening("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        async with catalog, open_threads(folder / "threads.sqlite") as (saver, store):
            chat = model or ScriptedModel(history=[], otherwise=scripted_by_question)
            graph = build_graph(chat, catalog, checkpointer=saver)
            service = Service(catalog, [name], graph, store, context or Context(strategy="single"))
            app = build_app(service, hosts_of("127.0.0.1", port), callers=callers)
            running = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
            task = asyncio.create_task(running.serve(sockets=[opened]))
            while not running.started:
                await asyncio.sleep(0.01)
            try:
                yield f"http://127.0.0.1:{port}/"
            finally:
                running.should_exit = True
                await task


@dataclass
class Visit:
    """A page in a browser, and everything that it asked for and complained about."""

    page: Any
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Keep each request, each line of the console, each error and each dialog."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append("a dialog"))

    async def ask(self, question: str, *options: str) -> None:
        """Ask by the keyboard, with options that are named by the ids of their boxes."""
        if options:
            await self.page.click("#ask-form summary")
            for option in options:
                await self.page.check(f"#{option}")
        await self.page.fill("#question", question)
        await self.page.press("#question", "Enter")

    async def answered(self, number: int = 1) -> Any:
        """The card of a turn's answer, when it is there and the history has it."""
        card = self.page.locator(f".turn:nth-of-type({number}) .answer")
        await card.wait_for()
        await self.page.locator("#threads li").first.wait_for(state="attached")
        return card

    async def rows(self, card: Any) -> list[list[str]]:
        """The cells of an answer's table."""
        lines = await card.locator(".rows tbody tr").all()
        return [await line.locator("td").all_inner_texts() for line in lines]


@asynccontextmanager
async def visiting(
    browser: Any, address: str, width: int = 1200, scheme: str = "light", allowed: Sequence[str] = (), **more: Any
) -> AsyncIterator[Visit]:
    """A visit of the page, which must ask for nothing but its own server and complain about nothing.

    Args:
        browser: The browser, which other visits use too; this one has its own storage.
        address: The page.
        width: Pixels.
        scheme: `light` or `dark`.
        allowed: Beginnings of complaints that are expected, such as the browser's own on a status of 401.
        more: Further properties of the browser's page.
    """
    page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
    page.set_default_timeout(30_000)
    visit = Visit(page)
    visit.watch()
    try:
        await page.goto(address)
        yield visit
        assert [url for url in visit.asked if not url.startswith((address, f"blob:{address}", "data:image/svg"))] == []
        assert [line for line in visit.complaints if not line.startswith(tuple(allowed))] == []
        assert await page.title() == "Ask your database · route-sql"
    finally:
        await page.context.close()
