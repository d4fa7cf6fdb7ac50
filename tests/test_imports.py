"""No circle of imports; every file has its layer; an import inside a function has its reason in a comment."""

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "graph", "package", "serving", "tools", "training")


def module(file: Path) -> str:
    top, *rest = file.relative_to(ROOT).with_suffix("").parts
    parts = ["route_sql", *([] if top == "package" else [top]), *rest]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module(file): file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")}


def imported(node: ast.AST) -> set[str]:
    """Our modules that a statement imports."""
    if not isinstance(node, ast.ImportFrom) or node.module is None:
        return set()
    names = {f"{node.module}.{alias.name}" for alias in node.names}
    return {name if name in FILES else node.module for name in names} & FILES.keys()


def test_no_circle_of_imports_also_of_late_ones_and_those_for_types() -> None:
    graph = {
        name: set().union(*map(imported, ast.walk(ast.parse(file.read_text(encoding="utf-8")))))
        for name, file in FILES.items()
        if name != "route_sql"  # names every module of the public API, for types
    }
    assert len(graph) > 400
    TopologicalSorter(graph).prepare()


def late(file: Path) -> list[int]:
    """Lines of imports of our modules inside functions."""
    functions = (
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [part.lineno for node in functions for part in ast.walk(node) if imported(part)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_late_import_has_its_reason(folder: str) -> None:
    bare = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        lines = ["", *file.read_text(encoding="utf-8").splitlines()]
        for number in late(file):
            first = number
            while lines[first - 1].lstrip().startswith("from "):
                first -= 1
            if "#" not in lines[number] and "#" not in lines[first - 1]:
                bare.append(f"{file.relative_to(ROOT)}:{number}")
    assert bare == []


def layers() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    lines = (line for contract in contracts for line in contract.get("layers", []))
    return {name.strip() for line in lines for name in re.split(r"[|:]", line)}


@pytest.mark.parametrize("folder", ["graph", "package", "serving", "tools", "training"])
def test_each_file_and_folder_has_its_layer(folder: str) -> None:
    inner = [path for path in (ROOT / folder).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    names = {module(path / "__init__.py" if path.is_dir() else path) for path in inner}
    assert names - layers() - {module(ROOT / folder / "__init__.py"), "route_sql.__main__"} == set()
