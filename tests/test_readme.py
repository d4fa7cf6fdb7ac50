"""The README is held to account: its commands and options exist, its code runs."""

import ast
import json
import re
from pathlib import Path

import pytest
from support.documented import commands
from typer.main import get_command

from route_sql.cli import app, main
from route_sql.demo.database import build_demo_database

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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


@pytest.mark.model
def test_the_first_question_has_the_answer_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    build_demo_database(Path(".demo/clinic.sqlite"))
    command = next(each for each in commands(ROOT / "README.md") if "ask" in each.words)
    with pytest.raises(SystemExit) as ended:
        main([*command.words[1:], "--json"])
    answer = json.loads(capsys.readouterr().out)
    shown = README.split("```text\n")[1].split("```")[0]
    assert not ended.value.code and shown.startswith(f"{answer['sql']}\n")
    assert f"│ {answer['rows'][0][0]} " in shown
    assert re.findall(r"^│ (\w+) +│ ok ", shown, re.MULTILINE) == [each["agent"] for each in answer["candidates"]]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_begins_with_how_to_run_it(example: Path) -> None:
    doc = ast.get_docstring(ast.parse(example.read_text()))
    assert doc and re.search(rf"^(python|pytest) examples/{example.name}\b", doc, re.MULTILINE)
    assert len(example.read_text().splitlines()) < 60


def test_no_placeholder_is_left() -> None:
    assert not re.search(r"^(GRAPH|TIMES|TRANSCRIPT|FIGURES)$", README, re.MULTILINE)
