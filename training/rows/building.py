"""Builds a training set: the rows of the four tasks for every example, with some databases held out.

A shard of a data set gives its part of the rows; `join_sets` joins the shards.

The same data set, seed and settings give the same bytes, however often the run was stopped: random choices for an
example depend on the seed, its index and the task alone. Time limits are the exception: rows that a slow database does
not give in time are not in the set.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, astuple, dataclass, fields
from hashlib import sha256
from json import dumps
from pathlib import Path
from random import Random
from typing import Any, Self

from route_sql.graph.context import Context
from route_sql.training.datasets.data_set import LICENCES, OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.resumable import to_the_end
from route_sql.training.rows.data_card import DataCard, write_card
from route_sql.training.rows.further import FurtherRows
from route_sql.training.rows.poison import PoisonReport, check_for_poison
from route_sql.training.rows.row_files import SHARD, SPLITS, DataFiles, Split
from route_sql.training.rows.self_training import EASY, self_training_rows
from route_sql.training.rows.token_counts import estimated_tokens, row_tokens
from route_sql.training.rows.training_example import ExamplePreparer, UnusableExample
from route_sql.training.tasks.continuation_writing import ContinuationWriting
from route_sql.training.tasks.noise_correction import NoiseCorrection
from route_sql.training.tasks.schema_linking import SchemaLinking
from route_sql.training.tasks.task import PreparedExample, Row, Task, TaskName, TokenCounter
from route_sql.training.tasks.text_to_sql import TextToSQL

TASKS: Mapping[TaskName, Task] = {
    task.name: task for task in (TextToSQL(), SchemaLinking(), NoiseCorrection(), ContinuationWriting())
}
"""The four tasks by name."""

OnExample = Callable[[int, int], None]
"""Called with the examples done and all examples; first with the count of a resumed run."""

_NARROWING = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.08, 0.0)
"""Shares of the schema's character budget, tried in order until a row fits."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a training set.

    `held_out` is the share of the databases whose examples go to the eval split, `max_tokens` the longest row,
    `schema_chars` the graph's character budget of a schema, `tokenizer` the name of the tokenizer that counts tokens.
    `further` adds rows of questions without an answer and of follow-ups (see `FurtherRows`). `self_training` adds rows
    of a model's own replies (see `self_training_rows`), and marks those of questions that it always got right.
    """

    seed: int = 0
    held_out: float = 0.1
    max_tokens: int = 4096
    schema_chars: int = Context().schema_chars
    tokenizer: str = "estimate"
    further: bool = False
    self_training: bool = False

    def __post_init__(self) -> None:
        """Check the share.

        Raises:
            DatasetError: `held_out` is not a share below 1.
        """
        if not 0 <= self.held_out < 1:
            raise DatasetError(f"a share of {self.held_out} can't be held out; give a number from 0 to below 1")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The recipe that `settings` gave.

        Raises:
            KeyError: a setting is missing.
        """
        found = {"self_training": False, **settings}
        return cls(**{field.name: found[field.name] for field in fields(cls)})

    def settings(self) -> dict[str, JSON]:
        """The settings by name, without `self_training` where it is off: sets of earlier versions lack it."""
        return {name: value for name, value in asdict(self).items() if name != "self_training" or value}


async def build_data(
    opened: OpenDataSet,
    out: Path,
    recipe: Recipe,
    *,
    count: TokenCounter = estimated_tokens,
    replies: Mapping[int, Sequence[str]] | None = None,
    poison: PoisonReport | None = None,
    progress: OnExample | None = None,
) -> DataCard:
    """Write the rows of every example and the data card; a set that was stopped is resumed.

    Args:
        opened: The examples and their databases. Rows of a shard are those of its examples in the whole set.
        out: The folder.
        recipe: Seed, shares and limits.
        count: The tokens of a text, by the tokenizer of the model that will be trained.
        replies: A model's replies to the questions, by index: its real mistakes.
        poison: The report on the examples of all shards, if it is made already.
        progress: Called after every example.

    Raises:
        DatasetError: there is no example, or the folder holds another set.
        DatabaseUnavailable: a database can't be read.
    """
    if not opened.examples:
        raise DatasetError(f"{opened.data_set.questions} holds no question to learn from; name another file")
    report = (
        poison if poison is not None else await asyncio.to_thread(check_for_poison, opened.whole, opened.dialect_of)
    )
    settings = _settings(opened, recipe, replies or {})
    splits, held_out = split_examples(opened.whole, recipe)
    async with _opened(out, settings) as files:
        await _write_rows(opened, files, recipe, splits, count, replies or {}, progress)
        return await to_the_end(
            write_card,
            files,
            settings,
            licence=LICENCES[opened.data_set.layout],
            examples=len(opened.examples),
            excluded=opened.excluded,
            held_out=held_out,
            poison=report,
        )


def split_examples(examples: Sequence[Example], recipe: Recipe) -> tuple[list[Split], list[str]]:
    """The split of each example, and the databases that are held out.

    Whole databases are held out, at least one. With a single database, questions are held out instead, all pairs
    with the same SQL or the same question together, and the list is empty.
    """
    databases = sorted({example.database for example in examples})
    whole = len(databases) > 1
    group_of = [] if whole else _groups(examples)
    groups = databases if whole else sorted({*group_of})
    wanted = max(1, round(recipe.held_out * len(groups))) if recipe.held_out and len(groups) > 1 else 0
    drawn = set(Random(f"{recipe.seed}:held-out").sample(groups, wanted))
    placed = [example.database for example in examples] if whole else group_of
    splits: list[Split] = ["eval" if group in drawn else "train" for group in placed]
    return splits, sorted(drawn) if whole else []


def example_rows(prepared: PreparedExample, recipe: Recipe, count: TokenCounter) -> tuple[list[Row], bool]:
    """The rows of all tasks that fit, and whether all did. CPU work.

    The schema of a row that is too long is reduced, never its answer.
    """
    rows: list[Row] = []
    complete = True
    for task in TASKS.values():
        made, fits = _fitting(prepared, task, recipe, count)
        rows += made
        complete = complete and fits
    return rows, complete


def _fitting(prepared: PreparedExample, task: Task, recipe: Recipe, count: TokenCounter) -> tuple[list[Row], bool]:
    made: list[Row] = []
    for share in _NARROWING:
        narrowed = prepared.narrowed(max(1, round(share * recipe.schema_chars)))
        made = task.rows(narrowed, Random(f"{recipe.seed}:{prepared.example.index}:{task.name}"))
        made = _counted(made, count)
        if all(row["tokens"] <= recipe.max_tokens for row in made):
            return made, True
    return [row for row in made if row["tokens"] <= recipe.max_tokens], False


def _counted(rows: Sequence[Row], count: TokenCounter) -> list[Row]:
    return [{**row, "tokens": row_tokens(row, count)} for row in rows]


def _of_split(opened: OpenDataSet, splits: Sequence[Split], wanted: Split) -> dict[str, list[Example]]:
    """The examples of a split whose database is there, by database; those of all shards, to draw the same ones."""
    found: dict[str, list[Example]] = {}
    for example, split in zip(opened.whole, splits, strict=True):
        if split == wanted and example.database not in opened.schemas_only:
            found.setdefault(example.database, []).append(example)
    return found


async def _write_rows(
    opened: OpenDataSet,
    files: DataFiles,
    recipe: Recipe,
    splits: Sequence[Split],
    count: TokenCounter,
    replies: Mapping[int, Sequence[str]],
    progress: OnExample | None,
) -> None:
    preparer = ExamplePreparer(opened, recipe.seed, replies)
    further = {
        split: FurtherRows(preparer, _of_split(opened, splits, split), recipe.seed, every_hidden=recipe.self_training)
        for split in SPLITS
    }
    shard = opened.data_set.shard
    own = shard.part(splits) if shard else splits
    for place in range(files.done, len(opened.examples)):
        if progress:
            progress(place, len(opened.examples))
        example = opened.examples[place]
        rows: list[Row] = []
        left_out: dict[str, int] = {}
        try:
            rows, complete = await _all_rows(await preparer.prepare(example), further[own[place]], recipe, count)
            left_out = {} if complete else {"some rows: longer than the limit": example.index}
        except UnusableExample as error:
            left_out = {str(error): example.index}
        await to_the_end(files.append, rows, own[place], left_out)
    if progress:
        progress(len(opened.examples), len(opened.examples))


async def _all_rows(
    prepared: PreparedExample, further: FurtherRows, recipe: Recipe, count: TokenCounter
) -> tuple[list[Row], bool]:
    """The rows of an example, the further ones of the recipe included, and whether all of its own fit."""
    rows, complete = await asyncio.to_thread(example_rows, prepared, recipe, count)
    if recipe.self_training:
        rows = [{**row, "kind": f"{EASY}{row['kind']}"} for row in rows] if prepared.always_right else rows
        random = Random(f"{recipe.seed}:{prepared.example.index}:self-training")
        own = await asyncio.to_thread(_counted, self_training_rows(prepared, random), count)
        rows += [row for row in own if row["tokens"] <= recipe.max_tokens]
    if recipe.further and prepared.executable:
        counted = await asyncio.to_thread(_counted, await further.rows(prepared), count)
        rows += [row for row in counted if row["tokens"] <= recipe.max_tokens]
    return rows, complete


@asynccontextmanager
async def _opened(out: Path, settings: Mapping[str, JSON]) -> AsyncIterator[DataFiles]:
    files = await to_the_end(DataFiles, out, settings)
    try:
        yield files
    finally:
        files.close()


def _settings(opened: OpenDataSet, recipe: Recipe, replies: Mapping[int, Sequence[str]]) -> dict[str, JSON]:
    examples = [astuple(example) for example in opened.whole]
    shard = opened.data_set.shard
    return {
        "layout": opened.data_set.layout,
        "questions": opened.data_set.questions.name,
        "examples_digest": _digest(examples),
        "replies_digest": _digest(sorted(replies.items())) if replies else None,
        "schemas_only": len(opened.schemas_only),
        **recipe.settings(),
        **({SHARD: str(shard)} if shard else {}),
    }


def _digest(value: object) -> str:
    return sha256(dumps(value).encode()).hexdigest()[:16]


def _groups(examples: Sequence[Example]) -> list[str]:
    """The group of each example, named by its first SQL: a pair joins groups that have its SQL or its question."""
    first: dict[str, str] = {}
    for example in examples:
        found = {first[key] for key in _keys(example) if key in first}
        name = min(found, default=_plain(example.sql))
        first = {key: name if group in found else group for key, group in first.items()} if len(found) > 1 else first
        first |= dict.fromkeys(_keys(example), name)
    return [first[_keys(example)[0]] for example in examples]


def _keys(example: Example) -> tuple[str, str]:
    return f"sql {_plain(example.sql)}", f"question {_plain(example.question)}"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip("; ")
