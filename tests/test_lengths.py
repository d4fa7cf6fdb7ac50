"""Short functions and files: nine functions in ten have at most 18 lines, none has over 49; a file has under 300."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "graph", "package", "serving", "tools", "training")
FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def test_functions_are_short() -> None:
    lengths = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lengths[f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    in_order = sorted(lengths.values())
    assert in_order[len(in_order) * 9 // 10] <= 18
    assert {name: length for name, length in lengths.items() if length > 49} == {}


def test_files_are_short() -> None:
    assert len(FILES) > 400
    assert [str(file) for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) >= 300] == []
