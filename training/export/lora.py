"""A LoRA that PEFT saved, as plain matrices; settings that a GGUF adapter can't hold are refused, never dropped."""

import json
import re
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from route_sql.training.errors import TrainingError
from route_sql.training.tuning.adapter_files import CONFIG, WEIGHTS, read_adapter_config

Matrix = NDArray[np.float32]

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
# Settings that are about training alone, or that are read here. Every other one, those of later versions too, must
# have a neutral value: what we don't know, we can't have converted.
_HARMLESS = {
    *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
    *("inference_mode", "r", "lora_alpha", "lora_dropout", "use_rslora", "init_lora_weights", "runtime_config"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
}
_NEUTRAL: tuple[object, ...] = (None, False, "none", {}, [])
_REASONS = {
    "use_dora": "DoRA scales by the length of columns, for which a GGUF adapter has no place",
    "bias": "it tuned biases, for which a GGUF adapter has no place",
    "lora_bias": "it tuned biases, for which a GGUF adapter has no place",
    "modules_to_save": "it tuned whole modules in addition to the low-rank matrices",
    "rank_pattern": "its modules have different ranks, and a GGUF adapter holds one scale",
    "alpha_pattern": "its modules have different scales, and a GGUF adapter holds one",
    "target_parameters": "it tuned bare parameters, not linear layers",
    "trainable_token_indices": "it tuned single tokens of the embedding",
    "fan_in_fan_out": "its matrices are laid out for Conv1D layers",
    "layer_replication": "it repeats layers of the base",
}
# These begin by taking something out of the base's weights, so that the adapter is none of the base as it is served.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class LowRank:
    """The change of one linear layer: `scale * b @ a`."""

    a: Matrix
    """Rank x inputs."""
    b: Matrix
    """Outputs x rank."""


@dataclass(frozen=True)
class Lora:
    """A whole adapter."""

    rank: int
    alpha: float
    """Alpha in llama.cpp's sense, which scales by alpha / rank; for rank-stabilised LoRA it is larger than PEFT's."""
    modules: dict[str, LowRank]
    """Matrices by the layer's name in transformers, such as `model.layers.0.mlp.up_proj`, in alphabetical order."""


def read_lora(folder: Path) -> Lora:
    """Read an adapter that PEFT saved.

    Raises:
        TrainingError: there is none, it is damaged, or it is more than one pair of matrices a linear layer, all of one
            rank and scale.
    """
    config = read_adapter_config(folder)
    _refuse_unknown(config)
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    # Kalajdzievski 2023 (arXiv 2312.03732) divides by the root of the rank.
    scaled = alpha * sqrt(rank) if config.get("use_rslora") else alpha
    return Lora(rank, scaled, _pairs(_tensors(folder / WEIGHTS), rank))


def write_lora(lora: Lora, folder: Path) -> None:
    """Write an adapter in PEFT's format, with matrices in 32 bits; `read_lora` reads it again.

    Raises:
        OSError: it can't be written.
    """
    import torch
    from safetensors.torch import save_file

    sides = [(module, *side) for module, pair in lora.modules.items() for side in (("A", pair.a), ("B", pair.b))]
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {f"base_model.model.{module}.lora_{name}.weight": torch.tensor(matrix) for module, name, matrix in sides},
        folder / WEIGHTS,
    )
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lora.rank,
        "lora_alpha": int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,
        "use_rslora": False,
        "lora_dropout": 0.0,
        "target_modules": list(lora.modules),
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _refuse_unknown(config: dict[str, Any]) -> None:
    for name, value in config.items():
        if name not in _HARMLESS and value not in _NEUTRAL:
            reason = _REASONS.get(name, f"its setting {name} is {value!r}, which a GGUF adapter can't express")
            raise TrainingError(f"the adapter can't be a GGUF adapter: {reason}. Train without it, or only merge it")
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(_CHANGES_BASE):
        raise TrainingError(
            f"the adapter was begun with init_lora_weights={start!r}, which changes the base's weights; save it with "
            "PEFT's conversion to a plain LoRA (path_initial_model_for_weight_conversion) and export that"
        )


def _tensors(path: Path) -> dict[str, Matrix]:
    from safetensors import SafetensorError, safe_open

    try:
        # By torch, since numpy has no bfloat16.
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).float().numpy() for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} can't be read: {error}; save the adapter with save_pretrained") from error


def _pairs(tensors: dict[str, Matrix], rank: int) -> dict[str, LowRank]:
    sides: dict[str, dict[str, Matrix]] = {}
    for name, tensor in tensors.items():
        known = _KEY.fullmatch(name)
        if known is None:
            raise TrainingError(f"the adapter can't become a GGUF adapter: {name} is not a LoRA of a linear layer")
        if not np.isfinite(tensor).all():
            raise TrainingError(
                f"the adapter's tensor {name} has values that are not numbers; lower lr and train again"
            )
        sides.setdefault(known["module"], {})[known["side"]] = tensor
    if not sides:
        raise TrainingError("the adapter holds no tensor at all")
    return {module: _pair(module, sides[module], rank) for module in sorted(sides)}


def _pair(module: str, sides: dict[str, Matrix], rank: int) -> LowRank:
    if set(sides) != {"A", "B"}:
        raise TrainingError(f"the adapter is damaged: {module} has only its half {''.join(sides)}")
    pair = LowRank(sides["A"], sides["B"])
    if (pair.a.shape[0], pair.b.shape[1]) != (rank, rank):
        raise TrainingError(f"the adapter is damaged: {module} is {pair.b.shape} by {pair.a.shape}, not of rank {rank}")
    return pair
