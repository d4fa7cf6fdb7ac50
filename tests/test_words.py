"""Docstrings begin with a verb or a noun, and docstrings, comments and help texts avoid words that confuse readers."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIRST = re.compile(r"\s*(Of|As|What|How|Where|When|Why|Which|Who)\b")
AVOIDED = re.compile(
    r"\b(beside|told|mend(s|ed|ing)?|go(es)? on|taken up|anew|heed(s|ed)?|handed|stands?(?! for| out)|"
    r"one['’]s own|what is)\b",
    re.IGNORECASE,
)
CODE = ["agents", "graph", "package", "serving", "tools", "training", "benchmarks", "examples", "docs", "tests/support"]


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def help_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "help":
            yield from (
                (part.lineno, str(part.value)) for part in ast.walk(node.value) if isinstance(part, ast.Constant)
            )


def comments(file: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(file) as lines:
        yield from (
            (token.start[0], token.string)
            for token in tokenize.generate_tokens(lines.readline)
            if token.type == tokenize.COMMENT
        )


@pytest.mark.parametrize("folder", CODE)
def test_words(folder: str) -> None:
    wrong = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        wrong += [
            f"{file}:{line} starts with {found[1]}" for line, text in docstrings(tree) if (found := FIRST.match(text))
        ]
        for line, text in [*docstrings(tree), *help_texts(tree), *comments(file)]:
            wrong += [f"{file}:{line} says {found[0]!r}" for found in AVOIDED.finditer(" ".join(text.split()))]
    assert not wrong, "\n".join(wrong)


def pages() -> list[Path]:
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "examples").rglob("*.md")),
    ]


def prose(page: str) -> str:
    """The text of a page without its code, on one line."""
    return " ".join(re.sub(r"```.*?```|^ {4}[^\n]*$|`[^`]*`", "", page, flags=re.MULTILINE | re.DOTALL).split())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_words_of_a_page(page: Path) -> None:
    assert [found[0] for found in AVOIDED.finditer(prose(page.read_text(encoding="utf-8")))] == []


def test_the_prose_of_a_page_is_all_but_its_code() -> None:
    page = "One `told` two.\n\n```text\ntold\n```\n\n    told\n\nThree `a\nb` four."
    assert prose(page) == "One two. Three four."
