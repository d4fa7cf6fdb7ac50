"""The files of an adapter, as PEFT saves it."""

import json
from pathlib import Path
from typing import Any

from route_sql.training.errors import TrainingError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """Read the settings of an adapter.

    Raises:
        TrainingError: there are none, or they are not a LoRA's.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder} holds no adapter of PEFT: {CONFIG} can't be read: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA" or not {"r", "lora_alpha"} <= set(config):
        raise TrainingError(f"{folder / CONFIG} is not a LoRA's; only LoRA adapters can be used")
    return config


def require_fit(model: Any, folder: Path) -> None:
    """Check that every tensor of an adapter has a layer of its shape; PEFT itself warns at most.

    Raises:
        TrainingError: the adapter was trained on another base, or can't be read.
    """
    from safetensors import SafetensorError, safe_open

    layers = dict(model.named_modules())
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{folder / WEIGHTS} can't be read: {error}") from error
    for name, shape in shapes.items():
        module, mark, side = name.removeprefix("base_model.model.").partition(".lora_")
        if mark and module not in layers:
            raise TrainingError(f"the adapter was trained on another base: this one has no layer {module}")
        if side in ("A.weight", "B.weight"):
            outputs, inputs = layers[module].weight.shape
            if (shape[1] if side[0] == "A" else shape[0]) != (inputs if side[0] == "A" else outputs):
                raise TrainingError(f"the adapter was trained on another base: {name} is {shape}, {module} has another")
