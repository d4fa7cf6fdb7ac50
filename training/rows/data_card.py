"""The data card: contents and origin of a training set, as JSON and as Markdown next to it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from typing import get_args

from typing_extensions import TypedDict

from route_sql.tools.files import write_whole
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.rows.poison import PoisonReport
from route_sql.training.rows.row_files import DataFiles, Split, file_name
from route_sql.training.tasks.task import TaskName

JSON_CARD = "data_card.json"
MARKDOWN_CARD = "data_card.md"
PERCENTILES = (50, 90, 99, 100)


class FileCard(TypedDict):
    """One file of the set."""

    task: TaskName
    split: Split
    rows: int
    examples: int
    databases: int
    kinds: dict[str, int]
    tokens: dict[str, int]
    """Percentiles of the tokens of a row, prompt and completion together: `p50`, ..., `p100`."""


class DataCard(TypedDict):
    """The data card of a whole set."""

    settings: dict[str, JSON]
    """All settings that decide the bytes: data set, seed, limits."""
    licence: str
    examples: int
    excluded: int
    """Examples that the data set's own list of exclusions names."""
    left_out: dict[str, int]
    held_out: list[str]
    """Databases of the eval split; empty if questions of the only database are held out instead, or nothing."""
    files: dict[str, FileCard]
    poison: PoisonReport


def write_card(
    files: DataFiles,
    settings: Mapping[str, JSON],
    *,
    licence: str,
    examples: int,
    excluded: int,
    held_out: Sequence[str],
    poison: PoisonReport,
) -> DataCard:
    """Count what the files hold and write the card next to them, in both forms. Reads every file once."""
    cards = {
        file_name(task, split): _file_card(files, task, split)
        for task in get_args(TaskName)
        for split in get_args(Split)
    }
    card = DataCard(
        settings=dict(settings),
        licence=licence,
        examples=examples,
        excluded=excluded,
        left_out={reason: len(indices) for reason, indices in sorted(files.left_out.items())},
        held_out=list(held_out),
        files=cards,
        poison=poison,
    )
    write_whole(files.folder / JSON_CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    write_whole(files.folder / MARKDOWN_CARD, as_markdown(card))
    return card


def as_markdown(card: DataCard) -> str:
    """The card as Markdown."""
    lines = ["# Data card", "", f"Licence: {card['licence']}.", "", "## Files", ""]
    marks = [f"p{share}" for share in PERCENTILES]
    lines += [f"| file | rows | examples | databases | {' | '.join(f'tokens {mark}' for mark in marks)} |"]
    lines += [f"| --- |{' ---: |' * (3 + len(marks))}"]
    for name, file in card["files"].items():
        counts = [file["rows"], file["examples"], file["databases"], *(file["tokens"].get(mark, 0) for mark in marks)]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    lines += ["", "## Kinds of rows", "", "| file | kind | rows |", "| --- | --- | ---: |"]
    lines += [f"| {name} | {kind} | {n} |" for name, file in card["files"].items() for kind, n in file["kinds"].items()]
    lines += ["", "## Left out", "", f"Of {card['examples']} examples, after {card['excluded']} excluded ones:", ""]
    lines += [f"- {count}: {reason}" for reason, count in card["left_out"].items()] or ["none"]
    lines += ["", "## Held out for evaluation", "", _held_out(card), "", "## Settings", ""]
    lines += [f"- {name}: {json.dumps(value)}" for name, value in card["settings"].items()]
    return "\n".join([*lines, "", "## Signs of poison", "", *_poison_lines(card["poison"])]) + "\n"


def _held_out(card: DataCard) -> str:
    if not any(file["rows"] for file in card["files"].values() if file["split"] == "eval"):
        return "nothing"
    return ", ".join(card["held_out"]) or "questions of the only database"


def _poison_lines(report: PoisonReport) -> list[str]:
    suspects = [f"- question {s['index']} ({s['database']}): {', '.join(s['reasons'])}" for s in report["suspects"]]
    triggers = [
        f"- `{t['text']}`: {t['suspicious']} of {t['questions']} questions with it have a {t['reason']}"
        for t in report["triggers"]
    ]
    odd = [f"- {name}: in {count} questions" for name, count in report["odd_characters"].items()]
    return suspects + triggers + odd or ["none found"]


def _file_card(files: DataFiles, task: TaskName, split: Split) -> FileCard:
    kinds: Counter[str] = Counter()
    tokens: list[int] = []
    indices: set[int] = set()
    databases: set[str] = set()
    for row in files.rows(task, split):
        kinds[row["kind"]] += 1
        tokens.append(row["tokens"])
        indices.add(row["index"])
        databases.add(row["database"])
    return FileCard(
        task=task,
        split=split,
        rows=len(tokens),
        examples=len(indices),
        databases=len(databases),
        kinds=dict(sorted(kinds.items())),
        tokens=_percentiles(tokens),
    )


def _percentiles(values: list[int]) -> dict[str, int]:
    ordered = sorted(values)
    return {f"p{share}": ordered[ceil(share * len(ordered) / 100) - 1] for share in PERCENTILES if ordered}
