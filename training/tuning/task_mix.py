"""The training set of a run: the rows of several tasks as tokens, mixed by their weights; each task's held-out rows.

The tokens of a file are written once and read back as memory maps, so that all processes share them and a resumed run
does not encode again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from datasets import Dataset, concatenate_datasets, interleave_datasets, load_from_disk
from transformers import PreTrainedTokenizerBase
from typing_extensions import TypedDict

from route_sql.tools.files import written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.conversation_tokens import encode_file

_RowSet = TypeVar("_RowSet")

TOKENS = "tokens"
"""The folder of the encoded rows; it may be removed once a run is done."""


class TaskCounts(TypedDict):
    """Counts of one task in a run."""

    weight: float
    rows: int
    tokens: int
    drawn: int
    """Rows in an epoch of the mix."""
    eval_rows: int
    eval_tokens: int


@dataclass(frozen=True)
class Mix:
    """Rows of `input_ids` and `labels` for a trainer."""

    train: Dataset
    held_out: dict[str, Dataset]
    """Held-out rows by task, without tasks that have none."""
    counts: dict[str, TaskCounts]


def data_files(run: SFTRun) -> dict[str, Path]:
    """The files that a run reads, by name, or by path if it reads several folders; none is empty.

    Raises:
        TrainingError: a task has rows in none of the folders, or a folder has rows of none of the tasks.
    """
    files: dict[str, Path] = {}
    for folder in run.folders:
        if not any((folder / f"{task}.train.jsonl").is_file() for task in run.tasks):
            raise TrainingError(f"there are no rows in {folder}; make them with route-sql train data")
    for task in run.tasks:
        for split in ("train", "eval"):
            # The same as row_files.file_name, whose imports a machine that only trains may lack.
            wanted = [folder / f"{task}.{split}.jsonl" for folder in run.folders]
            found = [file for file in wanted if file.is_file() and file.stat().st_size]
            files |= {file.name if len(run.folders) == 1 else str(file): file for file in found}
            if split == "train" and not found:
                raise TrainingError(
                    f"there are no rows in {' or '.join(map(str, wanted))}; make them with route-sql train data, or "
                    f"drop {task} from tasks"
                )
    return files


def by_task(read: Mapping[str, _RowSet], split: str) -> dict[str, list[_RowSet]]:
    """The values of `read`, which has the names of `data_files`, by task for one split."""
    found: dict[str, list[_RowSet]] = {}
    for name, rows in read.items():
        task, named, _ = Path(name).name.split(".")
        if named == split:
            found.setdefault(task, []).append(rows)
    return found


def file_digests(files: Mapping[str, Path]) -> dict[str, str]:
    """The beginning of each file's SHA-256."""
    digests = {}
    for name, path in files.items():
        with path.open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return digests


def mix_tasks(run: SFTRun, tokenizer: PreTrainedTokenizerBase, out: Path, digests: Mapping[str, str]) -> Mix:
    """Encode the rows, or read what was encoded before, and mix the tasks.

    Args:
        run: Names the tasks, their weights and the seed.
        tokenizer: The base's.
        out: The folder of the run; tokens go below it.
        digests: The digest of each file, from `file_digests`.

    Raises:
        TrainingError: a row is damaged or too long.
    """
    salt = hashlib.sha256(f"{tokenizer.chat_template}{sorted(tokenizer.get_vocab().items())}".encode()).hexdigest()[:8]
    made = {
        name: _encoded(file, tokenizer, run.max_length, out / TOKENS / f"{file.stem}.{digests[name]}.{salt}")
        for name, file in data_files(run).items()
    }
    train = {task: concatenate_datasets(rows) for task, rows in by_task(made, "train").items()}
    found = {task: concatenate_datasets(rows) for task, rows in by_task(made, "eval").items()}
    held_out = {task: _sampled(rows, run.eval_rows, run.seed) for task, rows in found.items()}
    mixed, drawn = _interleave(train, run)
    counts = {
        task: TaskCounts(
            weight=run.tasks[task],
            rows=len(rows),
            tokens=_tokens(rows),
            drawn=drawn[task],
            eval_rows=len(held_out.get(task, ())),
            eval_tokens=_tokens(held_out[task]) if task in held_out else 0,
        )
        for task, rows in train.items()
    }
    return Mix(mixed, held_out, counts)


def _encoded(file: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, folder: Path) -> Dataset:
    if not folder.is_dir():
        with written_whole(folder) as draft:
            encode_file(file, tokenizer, max_length).save_to_disk(str(draft))
    dataset: Dataset = load_from_disk(str(folder))
    # The folder may be of a run with a larger limit.
    if (longest := max(_lengths(dataset))) > max_length:
        raise TrainingError(
            f"{file} has a row of {longest} tokens, more than max_length, {max_length}; make the data with "
            f"--max-tokens {max_length}"
        )
    return dataset


def _interleave(train: Mapping[str, Dataset], run: SFTRun) -> tuple[Dataset, dict[str, int]]:
    named = [rows.add_column("task", [task] * len(rows)).shuffle(seed=run.seed) for task, rows in train.items()]
    if len(named) == 1:
        return named[0].remove_columns("task"), {task: len(rows) for task, rows in train.items()}
    whole = sum(run.tasks.values())
    shares = [run.tasks[task] / whole for task in train]
    mixed = interleave_datasets(named, probabilities=shares, seed=run.seed, stopping_strategy="all_exhausted")
    drawn: Sequence[str] = mixed["task"][:]
    return mixed.remove_columns("task"), {task: drawn.count(task) for task in train}


def _sampled(rows: Dataset, most: int | None, seed: int) -> Dataset:
    if most is None or len(rows) <= most:
        return rows
    return rows.shuffle(seed=seed).select(range(most))


def _lengths(rows: Dataset) -> list[int]:
    import pyarrow.compute

    return [
        length
        for batch in rows.with_format("arrow").iter(batch_size=10_000)
        for length in pyarrow.compute.list_value_length(batch["input_ids"]).to_pylist()
    ]


def _tokens(rows: Dataset | Any) -> int:
    return sum(_lengths(rows))
