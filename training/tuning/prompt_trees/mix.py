"""The training set of a run as packs of prompt trees, which join rows that share a schema and a question."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.conversation_tokens import encoded_rows
from route_sql.training.tuning.prompt_trees.tree import Encoded, pack_trees
from route_sql.training.tuning.task_mix import Mix, TaskCounts, by_task, data_files

_TOKENS = List(Value("int32"))
_FEATURES = Features({"input_ids": _TOKENS, "labels": _TOKENS, "position_ids": _TOKENS})


@dataclass(frozen=True)
class _Placed:
    """A row, the part of its prompt before the question, and the question."""

    encoded: Encoded
    schema: str
    question: str
    kind: str


def mix_trees(run: SFTRun, tokenizer: PreTrainedTokenizerBase) -> Mix:
    """Draw the rows of an epoch by the tasks' weights and kinds, and pack rows that share their prompts together.

    An epoch ends with the first task whose rows are all drawn, so no row is repeated.

    Raises:
        TrainingError: a row is damaged or too long.
    """
    read = {name: list(_read(file, tokenizer, run.max_length)) for name, file in data_files(run).items()}
    train = {task: _of_kinds([*chain(*rows)], run, task) for task, rows in by_task(read, "train").items()}
    held_out = {task: _sampled([*chain(*rows)], run) for task, rows in by_task(read, "eval").items()}
    epoch = min(len(rows) / run.tasks[task] for task, rows in train.items())
    drawn = {task: rows[: round(epoch * run.tasks[task])] for task, rows in train.items()}
    mixed = _packs([row for rows in drawn.values() for row in rows], run)
    counts = {
        task: TaskCounts(
            weight=run.tasks[task],
            rows=len(rows),
            tokens=_tokens(rows),
            drawn=len(drawn[task]),
            eval_rows=len(held_out.get(task, ())),
            eval_tokens=_tokens(held_out.get(task, ())),
        )
        for task, rows in train.items()
    }
    return Mix(mixed, {task: _packs(rows, run) for task, rows in held_out.items()}, counts)


def _read(file: Path, tokenizer: PreTrainedTokenizerBase, most: int) -> Iterator[_Placed]:
    for rows, encoded in encoded_rows(file, tokenizer, most):
        for row, ids, labels in zip(rows, encoded["input_ids"], encoded["labels"], strict=True):
            said = "".join(message["content"] for message in row["prompt"])
            question = row.get("question", "")
            yield _Placed(Encoded(ids, labels), said[: said.find(question)], question, row.get("kind", ""))


def _of_kinds(rows: Sequence[_Placed], run: SFTRun, task: str) -> list[_Placed]:
    random = Random(f"{run.seed} {task}")
    kept = [row for row in rows if random.random() < run.kinds.get(row.kind, 1.0)]
    return random.sample(kept, len(kept))


def _sampled(rows: Sequence[_Placed], run: SFTRun) -> Sequence[_Placed]:
    if run.eval_rows is None or len(rows) <= run.eval_rows:
        return rows
    return Random(run.seed).sample(rows, run.eval_rows)


def _packs(rows: Iterable[_Placed], run: SFTRun) -> Dataset:
    ordered = sorted(rows, key=lambda row: (_place(run, row.schema), _place(run, row.question), row.encoded.ids))
    packs: dict[str, list[Any]] = {name: [] for name in _FEATURES}
    for pack in pack_trees((row.encoded for row in ordered), run.max_length):
        for name, values in pack.items():
            packs[name].append(values)
    return Dataset.from_dict(packs, features=_FEATURES)


def _place(run: SFTRun, text: str) -> str:
    """A sort key from the text and the seed, so that the order of a schema's questions means nothing."""
    return hashlib.sha256(f"{run.seed} {text}".encode()).hexdigest()


def _tokens(rows: Iterable[_Placed]) -> int:
    return sum(len(row.encoded.ids) for row in rows)
