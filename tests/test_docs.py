"""The documentation is held to account: generated pages are those of the code, links lead somewhere, code runs."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from route_sql.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
MOST_WORDS = 1_300


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["graph.svg", "command_line.md"])
def test_generated_pages_are_those_of_the_code(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generator().PAGES[name](), "run `python docs/generate.py`"


def test_the_readme_is_a_door() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_exists(page: Path) -> None:
    text = page.read_text()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"route-sql ([a-z]+)\b", text)) <= set(commands)
    for line in re.findall(r"^    route-sql (.+)$", text, re.MULTILINE):
        first, *rest = line.split()
        leaf = commands[first].commands[rest[0]] if hasattr(commands[first], "commands") else commands[first]
        known = {option for parameter in leaf.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= known, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_and_file_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)\)", text)
    assert all((page.parent / link).exists() for link in links)
    files = re.findall(r"`((?:benchmarks|examples|docs|training)/[\w./-]+)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_python_snippet_is_valid(page: Path) -> None:
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(snippet, str(page), "exec")


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs" / "index.md").read_text().split("{toctree}")[1]
    listed = set(re.findall(r"^(\w+)$", contents, re.MULTILINE))
    assert listed == {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
