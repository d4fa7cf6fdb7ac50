"""One name for one thing: a public name is defined once, and a private class has no name of a public one."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "graph", "package", "serving", "tools", "training")
SHARED = {"Wording"}  # serving, which must not import agents, says it as agents does
AGENTS = {"messages", "parse", "write"}
ENGINES = {
    "connect",
    "current_fingerprint",
    "fault_of",
    "open_session",
    "read_role",
    "readable_schema",
    "reason_of",
    "unavailable",
}
DOORS = {"ask", "check", "run", "schema"}
"""Commands, and the paths of the HTTP app for the same."""
SAME_ROLE = AGENTS | ENGINES | DOORS | {"main", "register", "check_shard"}
"""Functions that several modules have for the same purpose, each for its own agent, engine, door or command."""


def defined(kinds: type | tuple[type, ...]) -> dict[str, list[str]]:
    """The files that define each name by a statement of these kinds."""
    homes: dict[str, list[str]] = defaultdict(list)
    for file in (file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for name in names(node) if isinstance(node, kinds) else ():
                homes[name].append(str(file.relative_to(ROOT)))
    return homes


def names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    found = [target.id for target in targets if isinstance(target, ast.Name)]
    yield from (name for name in found if name.lstrip("_")[:1].isupper() and not name.isupper())


def classes() -> dict[str, list[str]]:
    """Classes, and names in the form of a class that stand for a type."""
    return defined((ast.ClassDef, ast.Assign, ast.AnnAssign))


def test_a_class_or_alias_has_a_name_of_its_own() -> None:
    public = {name: files for name, files in classes().items() if not name.startswith("_")}
    assert len(public) > 300
    assert {name: files for name, files in public.items() if len(files) > 1 and name not in SHARED} == {}


def test_a_private_class_has_no_name_of_a_public_one() -> None:
    found = classes()
    assert {name: files for name, files in found.items() if name.startswith("_") and name.lstrip("_") in found} == {}


def test_a_public_function_has_a_name_of_its_own() -> None:
    found = defined((ast.FunctionDef, ast.AsyncFunctionDef))
    twice = {name: files for name, files in found.items() if len(files) > 1 and not name.startswith("_")}
    assert {name: files for name, files in twice.items() if name not in SAME_ROLE} == {}
    assert twice.keys() >= SAME_ROLE, "a name that is defined once needs no exception"
