import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "graph", "package", "serving", "tools", "training")
SHARED = {"Wording"}  # serving, which must not import agents, says it as agents does
# Outside training; renamed with the other folders.


def names(module: ast.Module) -> Iterator[str]:
    """Public classes, and names in the form of a class that stand for a type."""
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found = node.name if isinstance(node, ast.ClassDef) else getattr(targets[0], "id", "")
        if found[:1].isupper() and not found.isupper():
            yield found


def test_a_class_or_alias_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for file in (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        for name in names(ast.parse(file.read_text(encoding="utf-8"))):
            homes[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1 and name not in SHARED} == {}
