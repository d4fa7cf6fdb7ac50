"""Commands and programs that the documentation asks a reader to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = "command_line.md"
"""Made from the code, and compared with it by a test of its own."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != GENERATED),
    *sorted((ROOT / "examples").rglob("*.md")),
]
DOORS = [page for page in PAGES if not page.is_relative_to(ROOT / "examples")]
_NO_COMMANDS = ("## The tree", "## The folders")
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:route-sql|make|langgraph) [^`\n]+)`")


@dataclass(frozen=True)
class Command:
    """A command as a page has it."""

    page: Path
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        return f"{self.page.stem}: {self.text}"


def commands(page: Path) -> list[Command]:
    """Commands on lines of their own, or after `$` in a transcript, and whole ones inside a sentence."""
    text = page.read_text(encoding="utf-8")
    lines = [*_transcript_lines(text), *_indented_lines(_FENCE.sub("", text))]
    inside = _INLINE.findall(_FENCE.sub("", text))
    return [Command(page, each) for each in dict.fromkeys([*lines, *inside])]


def programs(page: Path) -> list[str]:
    """Every Python snippet of a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _transcript_lines(text: str) -> Iterator[str]:
    for fence in _FENCE.findall(text):
        yield from re.findall(r"^\$ (.+)$", fence, re.MULTILINE)


def _indented_lines(text: str) -> Iterator[str]:
    """Lines of indented blocks; a block follows a blank line, and is no tree of folders, file or picture."""
    heading, before = "", ""
    for line in text.splitlines():
        heading = line if line.startswith("#") else heading
        begins = not before.strip() or before.startswith("    ")
        if begins and line.startswith("    ") and line[4] != " " and heading not in _NO_COMMANDS:
            yield line.strip()
        before = line
