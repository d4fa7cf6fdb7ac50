"""No circle of imports; every file has its layer; an import inside a function has its reason in a comment."""

import ast
import re
import tomllib
from collections import defaultdict
from functools import cache
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


@cache
def imports() -> dict[str, set[str]]:
    """Imports of each module, late ones and those for types included."""
    return {
        name: set().union(*map(imported, ast.walk(ast.parse(file.read_text(encoding="utf-8")))))
        for name, file in FILES.items()
        if name != "route_sql"  # names every module of the public API, for types
    }


def test_no_circle_of_imports() -> None:
    assert len(imports()) > 400
    TopologicalSorter(imports()).prepare()


def late(file: Path) -> list[int]:
    """Lines of imports of our modules inside functions."""
    functions = (
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [
        part.lineno
        for node in functions
        for part in ast.walk(node)
        if isinstance(part, ast.ImportFrom) and imported(part)
    ]


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


def test_no_circle_of_folders() -> None:
    """In each folder, its files and folders import each other one way."""
    inside: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, others in imports().items():
        for other in others:
            mine, theirs = name.split("."), other.split(".")
            depth = next((at for at, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
            if depth is not None:
                inside[".".join(mine[:depth])][mine[depth]].add(theirs[depth])
    assert len(inside) > 20
    for graph in inside.values():
        TopologicalSorter(graph).prepare()
