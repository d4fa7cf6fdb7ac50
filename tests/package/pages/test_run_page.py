"""The page of a run: self-contained, whole, and harmless whatever cells, names, SQL and replies hold."""

import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from support.browser import chromium, needs_browser
from support.chat_stub import ChatStub, completion

from route_sql.cli import main
from route_sql.graph.asking import run_with_story
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.pages.run_page import run_page
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

ATTACKS = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\" onmouseover=\"document.title='owned'\" x=\"",
    "'><svg onload=document.title='owned'>",
    "</style></pre></td><script>document.title='owned'</script>",
    "{{ 7 * 7 }}{% for x in [1] %}owned{% endfor %}",
    "javascript:document.title='owned'",
    "<a href=javascript:alert(1)>x</a><iframe srcdoc='<script>parent.document.title=1</script>'>",
    "\u202eowned\u2066\u200b\u2028",
    "<!--", "]]>", "&lt;b&gt;",
]  # fmt: skip
THREAD: Any = {"configurable": {"thread_id": "1"}}


class Elements(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE pet (name TEXT, "<script>x</script>" TEXT)')
        connection.executemany("INSERT INTO pet VALUES (?, 'Rex')", [(each,) for each in ATTACKS])
    return path


async def run(database: Path, model: ScriptedModel, question: str, context: Context) -> Any:
    catalog, name = Catalog.from_url(database)
    async with catalog:
        graph = build_graph(model, catalog)
        return await run_with_story(graph, Question(question=question, database=name), context, lambda event: None)


async def hostile_page(database: Path) -> str:
    attack = "<script>document.title='owned'</script>"
    model = ScriptedModel(history=[]).enqueue(
        "sql", f"SELECT '{attack.replace(chr(39), '')}' FROM pets", "SELECT * FROM pet"
    )
    model.enqueue("link", '{"pet": ["name"]}').enqueue("verdict", f"verdict: right{attack}\ud800")
    context = Context(keep_prompts=True)
    return run_page(await run(database, model, f"Which pets?{''.join(ATTACKS)}", context))


async def test_nothing_in_a_run_becomes_markup(hostile: Path) -> None:
    page = await hostile_page(hostile)
    found = Elements(page)
    assert not found.tags & {"script", "img", "iframe", "a", "object", "embed", "link", "form", "base"}
    assert not {name for name in found.attributes if name.startswith("on")} | found.attributes & {
        "src",
        "href",
        "style",
    }
    assert r"\u202eowned\u2066\u200b\u2028" in page and "\u202e" not in page
    assert "{{ 7 * 7 }}" in page and "&lt;script&gt;document" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


async def test_the_page_tells_the_whole_run(hostile: Path) -> None:
    model = (
        ScriptedModel(history=[]).enqueue("sql", "SELECT nam FROM pet", "SELECT name FROM pet").enqueue("link", "{}")
    )
    model.enqueue("verdict", "verdict: right")
    state = await run(hostile, model, "Which pets are there?", Context(keep_prompts=True, max_corrections=1))
    page = run_page(state)
    for expected in ("Which pets are there?", "link_schema", "<ins>name</ins>", "<del>nam</del>", "Task:", "Prompt",
                     "unknown column nam", "12 rows", "confidence 0."):  # fmt: skip
        assert expected in page, expected
    assert (
        "ground → draft → execute → complete_joins → link_schema → generate → execute → correct_noise → answer" in page
    )
    assert "were not kept" not in page


async def test_a_run_without_prompts_says_that_they_were_not_kept(hostile: Path) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT name FROM pet")
    page = run_page(await run(hostile, model, "Which?", Context(strategy="single")))
    assert "prompts and replies of this run were not kept" in page and "<summary>Prompt" not in page


async def test_a_thread_gives_the_same_page(hostile: Path) -> None:
    catalog, name = Catalog.from_url(hostile)
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT name FROM pet")
    async with catalog:
        graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
        context = Context(strategy="single", approve=True, keep_prompts=True)
        await graph.ainvoke({"question": "Which?", "database": name}, THREAD, context=context)
        waiting = run_page((await graph.aget_state(THREAD)).values)
        assert "not finished" in waiting and "There is no answer yet. The newest query:" in waiting
        assert "0 rows" not in waiting and "1 call of the model" in waiting
        await graph.ainvoke(Command(resume=True), THREAD, context=context)
        page = run_page((await graph.aget_state(THREAD)).values)
    assert "ground → generate → execute → answer" in page and "Task:" in page


@pytest.mark.parametrize(
    "values", [{}, {"question": "Which?"}, {"question": 1, "database": "x", "choices": {}}, None, "run", []]
)
def test_something_else_than_a_run_is_refused(values: Any) -> None:
    with pytest.raises(InvalidInput, match="stream_mode='values'"):
        run_page(values)


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        ({"ledger": [{"node": "draft"}]}, "ledger[0].prompt_tokens"),
        ({"attempts": [{"sql": "SELECT 1"}]}, "attempts[0].agent"),
        ({"rows": "Rex"}, "rows"),
        ({"choices": {}}, "choices"),
        ({"exchanges": [None]}, "exchanges[0]"),
    ],
)
async def test_a_state_that_was_edited_into_nonsense_names_the_place(
    hostile: Path, edit: dict[str, Any], place: str
) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT name FROM pet")
    state = await run(hostile, model, "Which?", Context(strategy="single"))
    with pytest.raises(InvalidInput, match=re.escape(place)):
        run_page({**state, **edit})
    assert run_page({**state, "notes": None, "ledger": None})


def ask(stub: ChatStub, database: Path, *more: object) -> int:
    words = ["ask", "Which?", "--db", database, "--model", stub.url, "--strategy", "single", "--quiet", *more]
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_ask_writes_the_page(stub: ChatStub, hostile: Path, tmp_path: Path) -> None:
    stub.enqueue(completion("SELECT name FROM pet"))
    assert ask(stub, hostile, "--report", tmp_path / "run.html") == 0
    assert "Task:" in (tmp_path / "run.html").read_text()
    stub.enqueue(completion("SELECT nam FROM pet"))
    assert ask(stub, hostile, "--report", tmp_path / "run.html") == 1
    assert "unknown column nam" in (tmp_path / "run.html").read_text()


@pytest.mark.parametrize("place", ["", "nowhere/run.html"])
def test_a_page_that_cant_be_written_is_known_before_anything_is_asked(
    stub: ChatStub, hostile: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(stub, hostile, "--report", tmp_path / place) == 2
    assert "name a file in a folder" in capsys.readouterr().err and not stub.bodies


class TestInABrowser:
    pytestmark = needs_browser

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1200])
    async def test_it_runs_nothing_loads_nothing_and_fits(
        self, hostile: Path, tmp_path: Path, scheme: str, width: int
    ) -> None:
        place = tmp_path / "run.html"
        place.write_text(await hostile_page(hostile), encoding="utf-8")
        asked: list[str] = []
        said: list[str] = []
        async with chromium() as browser:
            page = await browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: said.append(message.text))
            page.on("dialog", lambda dialog: said.append("a dialog"))
            await page.goto(place.as_uri())
            for part in await page.query_selector_all("summary"):
                await part.click()
            assert (await page.title()).startswith("Which pets?") and asked == [place.as_uri()] and said == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(20, 20, 28)") == (scheme == "dark"), "the style was blocked"
            assert await page.locator("svg circle").count() > 4

    async def test_its_policy_stops_a_script_that_slipped_through(self, hostile: Path, tmp_path: Path) -> None:
        place = tmp_path / "run.html"
        script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
        place.write_text((await hostile_page(hostile)).replace("<main>", f"<main>{script}"), encoding="utf-8")
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(place.as_uri())
            assert (await page.title()).startswith("Which pets?")


async def test_a_node_of_the_callers_own_has_a_lane(hostile: Path) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", "SELECT 1")
    state: Any = await run(hostile, model, "One?", Context(strategy="single"))
    own = {**state["ledger"][0], "node": "my_agent"}
    assert ">my_agent<" in run_page({**state, "ledger": [*state["ledger"], own]})
