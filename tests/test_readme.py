"""The README is held to account: its commands and options exist, its code runs."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from route_sql.cli import app
from route_sql.demo.database import build_demo_database
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_command_and_option_that_is_named_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    named = set(re.findall(r"route-sql ([a-z]+)\b", README))
    assert named and named <= set(commands)
    leaves = [leaf for command in commands.values() for leaf in getattr(command, "commands", {"": command}).values()]
    options = {option for leaf in leaves for parameter in leaf.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", README)) <= options


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^    )make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_folder_of_the_tree_exists() -> None:
    tree = README.split("## The tree")[1].split("##")[0]
    named = re.findall(r"^    (\w+)/ ", tree, re.MULTILINE)
    assert len(named) >= 7 and all((ROOT / folder).is_dir() for folder in named)


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets and all((ROOT / target).exists() for target in targets)


async def test_what_extends_it_runs(tmp_path: Path) -> None:
    extending = next(block for block in blocks("python") if "def glossary" in block)
    names: dict[str, object] = {}
    exec(compile(extending, "README.md", "exec"), names)
    catalog, name = Catalog.from_url(build_demo_database(tmp_path / "clinic.sqlite"))
    model = ScriptedModel(history=[]).enqueue("sql", *["SELECT city FROM patient LIMIT 2"] * 2).enqueue("link", "{}")
    model.enqueue("verdict", "verdict: wrong\nSELECT COUNT(*) FROM patient")
    async with catalog:
        graph = build_graph(model, catalog, context_tools=[names["glossary"]], checks=[names["not_too_many"]])  # type: ignore[list-item]
        answer = await graph.ainvoke({"question": "How many regulars are there?", "database": name})
    assert answer["sql"] == "SELECT COUNT(*) FROM patient"
    assert "more than three appointments" in str(model.history[0][1][-1].content)


@pytest.mark.model
def test_what_embeds_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    build_demo_database(Path(".demo/clinic.sqlite"))
    embedding = next(block for block in blocks("python") if "EmbeddedServer" in block)
    exec(compile(embedding, "README.md", "exec"), {"__name__": "readme"})
    assert "SELECT" in capsys.readouterr().out


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_begins_with_how_to_run_it(example: Path) -> None:
    doc = ast.get_docstring(ast.parse(example.read_text()))
    assert doc and f"python examples/{example.name}" in doc


def test_no_placeholder_is_left() -> None:
    assert not re.search(r"^(GRAPH|TIMES|TRANSCRIPT|FIGURES)$", README, re.MULTILINE)
