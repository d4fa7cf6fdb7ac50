"""The documentation is held to account: generated pages are those of the code, links lead somewhere, code runs."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.documented import programs
from typer.main import get_command

from route_sql.api.errors import CODES
from route_sql.cli import app
from route_sql.demo.database import build_demo_database
from route_sql.graph.confidence import read_calibration
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.catalog_file import read_entries

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
MOST_WORDS = 1_300


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["graph.svg", "command_line.md", "how_it_works.md", "python_api.md"])
def test_generated_pages_are_those_of_the_code(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generator().PAGES[name](), "run `python docs/generate.py`"


def test_the_thresholds_on_the_page_are_those_of_the_default_model() -> None:
    (file,) = (ROOT / "serving" / "calibrations").glob("*.json")
    calibration = read_calibration(file.read_text())
    page = (ROOT / "docs" / "confidence.md").read_text()
    said = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page, re.MULTILINE))
    have = {
        "min_confidence": Context().min_confidence,
        "enough": calibration.enough,
        "withhold_from": calibration.withhold,
    }
    assert {name: float(number) for name, number in said.items()} == have
    assert f"`{file.relative_to(ROOT)}`" in page


def test_the_codes_on_the_page_are_those_of_the_http_app() -> None:
    page = (ROOT / "docs" / "http.md").read_text()
    said = re.findall(r"`(\w+)` \((\d{3})\)", page)
    assert {int(status): code for code, status in said} == CODES


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_exists(page: Path) -> None:
    text = page.read_text()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"route-sql ([a-z]+)\b", text)) <= set(commands)
    for line in re.findall(r"^    route-sql (.+)$", text, re.MULTILINE):
        first, *rest = line.split()
        leaf = commands[first].commands[rest[0]] if hasattr(commands[first], "commands") else commands[first]
        known = _options(leaf)
        assert set(re.findall(r"--[a-z-]+", line)) <= known, line
    leaves = [leaf for command in commands.values() for leaf in getattr(command, "commands", {"": command}).values()]
    options = {option for leaf in leaves for option in _options(leaf)}
    deployed = [file.read_text() for file in (ROOT / "serving" / "deploy").rglob("*.*") if file.is_file()]
    of_servers = {option for file in deployed for option in re.findall(r"--[a-z-]+", file)}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= (options | of_servers if page.stem == "deploy" else options)


def _options(command: Any) -> set[str]:
    """The options of a command, and those that switch one off."""
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_and_file_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)\)", text)
    assert all((page.parent / link).exists() for link in links)
    files = re.findall(r"`((?:benchmarks|examples|docs|training)/[\w./-]+)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []


PROGRAMS = [
    pytest.param(
        program,
        id=f"{page.stem}-{number}",
        marks=[pytest.mark.model] if "EmbeddedServer" in program or "open_default" in program else [],
    )
    for page in PAGES
    for number, program in enumerate(programs(page))
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_python_snippet_runs(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    build_demo_database(Path(".demo/clinic.sqlite"))
    exec(compile(program, "snippet", "exec"), {"__name__": "snippet"})
    assert ("SELECT" in capsys.readouterr().out) == ("print(" in program)


EXTENSIONS = [page for page in PAGES if any("def not_too_many" in program for program in programs(page))]


@pytest.mark.parametrize("page", EXTENSIONS, ids=lambda page: page.stem)
async def test_the_extensions_are_used(page: Path, tmp_path: Path) -> None:
    extending = next(program for program in programs(page) if "def not_too_many" in program)
    names: dict[str, object] = {}
    exec(compile(extending, page.name, "exec"), names)
    catalog, name = Catalog.from_url(build_demo_database(tmp_path / "clinic.sqlite"))
    model = ScriptedModel(history=[]).enqueue("sql", *["SELECT city FROM patient LIMIT 2"] * 2).enqueue("link", "{}")
    model.enqueue("verdict", "verdict: wrong\nSELECT COUNT(*) FROM patient")
    async with catalog:
        graph = build_graph(model, catalog, context_tools=[names["glossary"]], checks=[names["not_too_many"]])  # type: ignore[list-item]
        answer = await graph.ainvoke({"question": "How many regulars are there?", "database": name})
    assert answer["sql"] == "SELECT COUNT(*) FROM patient"
    assert "more than three appointments" in str(model.history[0][1][-1].content)


@pytest.mark.parametrize("page", [ROOT / "docs" / "databases.md"], ids=lambda page: page.stem)
def test_every_catalog_is_read(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)):
        (tmp_path / "shop.md").write_text("An order is open until it is paid.")
        catalog = tmp_path / f"{number}.toml"
        catalog.write_text(text)
        entry = read_entries(catalog, {"SHOP_PASSWORD": "secret"})["shop"]
        assert entry.limits.seconds == 5 and entry.schemas == ("public", "sales") and entry.notes


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs" / "index.md").read_text().split("{toctree}")[1]
    listed = set(re.findall(r"^(\w+)$", contents, re.MULTILINE))
    assert listed == {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
