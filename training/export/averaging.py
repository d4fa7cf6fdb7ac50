"""Weighted mean of an adapter and of a later one that resumes it.

A tuning run that teaches something new moves the model further than the new task needs. A mean of the weights before
and after it keeps most of both (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv 2109.01903,
section 3).
"""

import json
from pathlib import Path

from route_sql.tools.files import sha256_of, written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.export.lora import Lora, LowRank, read_lora, write_lora
from route_sql.training.tuning.adapter_files import WEIGHTS

RECORD = "average.json"


def average_adapters(before: Path, after: Path, share: float, out: Path) -> None:
    """Write the adapter whose matrices are `(1 - share) * before + share * after`.

    A file `average.json` next to them says what it was made of.

    Only for two adapters of one line of training: the mean of unrelated matrices is not the mean of their changes.

    Args:
        before: The folder of the adapter that the later run resumed, as PEFT saved it.
        after: The folder of the later adapter.
        share: Weight of the later one, from 0 to 1.
        out: The folder to write; it must not exist.

    Raises:
        TrainingError: an adapter can't be read, the two have different layers, ranks or scales, or `out` exists already
            or can't be written.
    """
    first, second = read_lora(before), read_lora(after)
    _require_one_form(first, second)
    if out.exists():
        raise TrainingError(f"{out} is there already; name another folder, or remove it")
    modules = {name: _mean(pair, second.modules[name], share) for name, pair in first.modules.items()}
    try:
        with written_whole(out) as draft:
            write_lora(Lora(first.rank, first.alpha, modules), draft)
            (draft / RECORD).write_text(json.dumps(_record(before, after, share), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{out} can't be written: {error}; name another folder") from error


def _require_one_form(first: Lora, second: Lora) -> None:
    if (first.rank, first.alpha) != (second.rank, second.alpha):
        raise TrainingError("the adapters have different ranks or scales; average an adapter and one that resumed it")
    if _shapes(first) != _shapes(second):
        raise TrainingError("the adapters tune different layers; average an adapter and one that resumed it")


def _shapes(lora: Lora) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    return {name: (pair.a.shape, pair.b.shape) for name, pair in lora.modules.items()}


def _mean(first: LowRank, second: LowRank, share: float) -> LowRank:
    return LowRank((1 - share) * first.a + share * second.a, (1 - share) * first.b + share * second.b)


def _record(before: Path, after: Path, share: float) -> dict[str, object]:
    """The two adapters by the SHA-256 of their weights, and the share."""
    given = {"before": before, "after": after}
    hashes = {name: sha256_of(folder / WEIGHTS) for name, folder in given.items()}
    return {"share": share, **hashes}
