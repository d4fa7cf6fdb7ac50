"""Benchmarks: every script starts, writes the heading that says when and with what, and is in the list of scripts."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.rglob("*.py") if 'if __name__ == "__main__"' in path.read_text())
NOTES = set(BENCHMARKS.rglob("*.md")) - {BENCHMARKS / "README.md"}
TABLES = sorted(path for path in NOTES if re.search(r"^\| --", path.read_text(), re.MULTILINE))
HEADED = re.compile(r"^# .+\n\n\d{4}-\d\d-\d\d, .+; Python .+; commit (unknown|[0-9a-f]{7,40})( with changes)?\.\n")
NEEDS_TORCH = {"drafts.py", "pairs.py", "prompt_trees.py", "tasks.py"}
START = "import runpy, sys; path = sys.argv[1]; sys.path.insert(0, path.rpartition('/')[0]); runpy.run_path(path)"


def test_there_are_scripts_and_tables() -> None:
    assert len(SCRIPTS) > 10 and len(TABLES) > 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_writes_the_heading(script: Path) -> None:
    calls = (node.func for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Call))
    assert any(isinstance(called, ast.Name) and called.id == "heading" for called in calls)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_in_the_list(script: Path) -> None:
    assert f"`{script.relative_to(BENCHMARKS)}`" in (BENCHMARKS / "README.md").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_finds_what_it_imports(script: Path) -> None:
    if script.name in NEEDS_TORCH:
        pytest.importorskip("torch", reason="torch is not installed")
    done = subprocess.run([sys.executable, "-c", START, str(script)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_a_table_says_when_and_with_what(table: Path) -> None:
    assert HEADED.match(table.read_text())
