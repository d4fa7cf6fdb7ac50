"""Questions without an answer: each question also with a hidden column and of another database, one call each."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Literal

from langchain_core.language_models import BaseChatModel
from sqlglot import exp

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import Graph, build_graph
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import parse_query
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.training.calibration.observing import ask_missing, check_same_examples, example_digest, of_examples
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.kept_lines import keep_settings, reading, write_lines
from route_sql.training.resumable import OneWriter

Situation = Literal["answerable", "hidden_column", "other_database"]


@dataclass(frozen=True)
class AskedQuestion:
    """A question in one situation, with the signals of its first reply."""

    index: int
    database: str
    """The database that the question is about, whichever was asked."""
    situation: Situation
    signals: dict[str, float]
    digest: str = ""
    """That of its example (see `example_digest`); empty in lines of earlier versions."""


async def ask_in_situations(
    model: BaseChatModel,
    name: str,
    data: OpenDataSet,
    lines: Path,
    progress: Callable[[int, int], None],
    concurrency: int = 1,
) -> list[AskedQuestion]:
    """Ask every question that `lines` does not hold yet in three situations, one call each.

    Returns:
        The questions in the order of their indices, whatever order they were answered in.

    Raises:
        EvaluationError: `lines` belongs to a run with another model or other questions, or is being written.
        DatabaseUnavailable: a database can't be read; errors of the model are raised as they are.
    """
    graph = build_graph(model, data.catalog)
    with OneWriter(lines, "file", EvaluationError):
        keep_settings(lines, {"model": name, "questions": str(data.data_set.questions), "seed": data.data_set.seed})
        found = read_asked(lines)
        check_same_examples(lines, {asked.index: asked.digest for asked in found}, data.examples)

        async def ask(example: Example) -> None:
            asked = await _ask(graph, example, data)
            write_lines(lines, [asdict(each) for each in asked])
            found.extend(asked)

        await ask_missing(ask, data.examples, {asked.index for asked in found}, progress, concurrency)
    return of_examples(found, data.examples)


def read_asked(path: Path) -> list[AskedQuestion]:
    """The questions of a JSON Lines file; a missing file has none.

    Raises:
        EvaluationError: the file is damaged.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [AskedQuestion(**each) for line in text.split("\n") if line for each in json.loads(line)]


def hidden_column(example: Example, schema: Schema, random: Random) -> str | None:
    """A column of the gold query that is not a key, as `table.column`; None if there is none, or for `SELECT *`."""
    tree = parse_query(example.sql, schema.dialect)
    if tree is None or any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return None
    keys = {(table.key, name) for table in schema for name in table.primary_key}
    for table in schema:
        for key in table.foreign_keys:
            keys |= {(table.key, name) for name in key.columns}
            keys |= {(key.target_table, name) for name in key.target_columns}
    used = tables_and_columns(example.sql, schema)
    names = [f"{table}.{name}" for table, columns in used.items() for name in columns if (table, name) not in keys]
    return random.choice(names) if names else None


async def _ask(graph: Graph, example: Example, data: OpenDataSet) -> list[AskedQuestion]:
    random = Random(example.index)
    column = hidden_column(example, await data.catalog.get(example.database).schema(), random)
    others = sorted({each.database for each in data.examples} - {example.database})
    situations: dict[Situation, tuple[str, tuple[str, ...]]] = {"answerable": (example.database, ())}
    if column is not None:
        situations["hidden_column"] = (example.database, (column,))
    if others:
        situations["other_database"] = (random.choice(others), ())
    digest = example_digest(example)
    return [
        AskedQuestion(
            example.index, example.database, situation, await _signals(graph, example, database, hide), digest
        )
        for situation, (database, hide) in situations.items()
    ]


async def _signals(graph: Graph, example: Example, database: str, hide: tuple[str, ...]) -> dict[str, float]:
    """The signals of the generator's reply on the full schema."""
    question = Question(question=example.question, database=database, evidence=example.evidence)
    context = Context(strategy="single", withhold=False, hide=hide)
    async for update in graph.astream(question, context=context, stream_mode="updates"):
        if (judged := (update.get("generate") or {}).get("no_answer")) is not None:
            signals: dict[str, float] = judged["signals"]
            return signals
    return {}
