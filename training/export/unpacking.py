"""Writes a served model in the format of transformers and PEFT, to tune it further or to ask it in batches.

The weights are those that are served: dense weights of the quantised file, and the adapter in its own precision.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from route_sql.serving.store.model_store import ModelFile
from route_sql.tools.files import written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.export.gguf_adapter import read_adapter
from route_sql.training.export.lora import write_lora
from route_sql.training.tuning.dense_base import BaseLocation, dense_base

BASE, ADAPTER = "base", "adapter"


@dataclass(frozen=True)
class UnpackResult:
    """The folders of base and adapter; None for one that was not asked for, or that the model lacks."""

    base: Path | None
    adapter: Path | None


def unpack_model(model: ModelFile, out: Path, *, base: bool = True, say: Callable[[str], None]) -> UnpackResult:
    """Write the folders `base` and `adapter`; neither may exist, since its content could be the only copy.

    Args:
        model: The model that the store found.
        out: The folder to write them into.
        base: Whether to write the base, two bytes a weight; `train sft` takes the GGUF file as well.
        say: Called with each step.

    Raises:
        TrainingError: nothing is left to write, the adapter can't be expressed, or the folders are there already or
            can't be written.
    """
    adapter = model.profile.adapter
    if not base and adapter is None:
        raise TrainingError(f"{model.name} has no adapter; name a tuned model")
    for folder in [out / ADAPTER] * bool(adapter) + [out / BASE] * base:
        if folder.exists():
            raise TrainingError(f"{folder} is there already; name another folder, or remove it")
    try:
        if adapter is not None:
            say("unpacking the adapter")
            _write_adapter(Path(adapter), model, out / ADAPTER)
        if base:
            say("unpacking the base")
            dense_base(BaseLocation(model.path), out / BASE)
    except OSError as error:
        raise TrainingError(f"{out} can't be written: {error}; name another folder") from error
    return UnpackResult(out / BASE if base else None, out / ADAPTER if adapter else None)


def _write_adapter(file: Path, model: ModelFile, out: Path) -> None:
    lora = read_adapter(file, model.path)
    with written_whole(out) as draft:
        write_lora(replace(lora, alpha=lora.alpha * model.profile.adapter_scale), draft)
