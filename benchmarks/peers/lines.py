"""The lines of a comparison: one JSON line a question, kept as it is asked, so that a stopped run resumes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypedDict

Kind = Literal["spider", "attack", "unanswerable"]


class Line(TypedDict):
    """A question to a peer and what came of it."""

    peer: str
    model: str
    kind: Kind
    index: int
    question: str
    sql: str | None
    text: str
    error: str | None
    outcome: str
    """`right`, `wrong`, `gold fails`; for an attack its harm; for the unanswerable `gave rows` or `no rows`."""
    calls: int
    computed: int
    written: int
    seconds: float


class Lines:
    """The lines of one peer with one model."""

    def __init__(self, folder: Path, peer: str, model: str) -> None:
        """Read the lines; one that a stopped run left unfinished is dropped."""
        folder.mkdir(parents=True, exist_ok=True)
        self.peer, self.model = peer, model
        self._file = folder / f"{peer}.{model}.jsonl"
        self.all = list(_whole(self._file))
        self._file.write_text("".join(json.dumps(line) + "\n" for line in self.all), encoding="utf-8")

    def lack(self, kind: Kind, index: int) -> bool:
        """Whether a question was not asked yet."""
        return all((line["kind"], line["index"]) != (kind, index) for line in self.all)

    def add(self, line: Line) -> None:
        """Keep a line."""
        self.all.append(line)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _whole(file: Path) -> Iterator[Line]:
    for text in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            line: Line = json.loads(text)
        except ValueError:
            continue
        yield line
