"""The base with the adapter merged into its weights, in the layout of transformers, for servers with a GPU.

One merged model of all tasks keeps text-generation-inference's prefix cache, which an adapter beside the base switches
off.
"""

from pathlib import Path
from typing import Any, Literal

from route_sql.training.errors import TrainingError
from route_sql.training.export.lora import WEIGHTS, read_config
from route_sql.training.export.merged_layout import write_both_layouts

Precision = Literal["bfloat16", "float16", "float32"]


def load_base(base: Path, precision: Precision = "float32") -> Any:
    """A base model in transformers; the weights of a GGUF file are dequantised.

    Args:
        base: A GGUF file or a folder in the layout of transformers.
        precision: Of the loaded weights.

    Raises:
        TrainingError: transformers can't load it.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    where, file = _located(base)
    # Left as it is, the model would count as quantised, and transformers would refuse to save it.
    dense = {"gguf_file": file, "quantization_config": GgufConfig(dequantize=True)} if file else {}
    try:
        dtype = getattr(torch, precision)
        model: Any = AutoModelForCausalLM.from_pretrained(where, dtype=dtype, local_files_only=True, **dense)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers can't load the base {base}: {error}") from error
    return model.eval()


def load_tokenizer(base: Path) -> Any:
    """The tokenizer of a base, with its chat template; see `load_base`.

    Raises:
        TrainingError: there is none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    from route_sql.training.tuning.base_model import tokenizer_folder

    _located(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder(base), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers can't load the tokenizer of {base}: {error}") from error
    if not tokenizer.chat_template:
        raise TrainingError(f"the base {base} has no chat template; take one that was made for conversations")
    return tokenizer


def with_adapter(model: Any, adapter: Path) -> Any:
    """A PEFT model of a base and a saved adapter.

    Raises:
        TrainingError: the adapter does not fit the base, or can't be read.
    """
    from peft import PeftModel

    read_config(adapter)
    _require_fit(model, adapter)
    try:
        return PeftModel.from_pretrained(model, str(adapter)).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"PEFT can't load the adapter {adapter} on this base: {error}") from error


def write_merged(adapter: Path, base: Path, out: Path, precision: Precision = "bfloat16") -> None:
    """Write the merged model with tokenizer, chat template and generation config, for servers and `from_pretrained`.

    The sum is taken in 32 bits and rounded once.

    Args:
        adapter: The folder that PEFT saved; unlike a GGUF adapter it may be all that PEFT can merge.
        base: A GGUF file, or a folder in the layout of transformers.
        out: The folder to write.
        precision: Of the saved weights.

    Raises:
        TrainingError: adapter or base can't be loaded, or don't fit each other.
    """
    import torch

    tokenizer = load_tokenizer(base)
    tuned = with_adapter(load_base(base), adapter)
    try:
        merged = tuned.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise TrainingError(f"the adapter {adapter} can't be merged: {error}") from error
    merged.to(getattr(torch, precision))
    merged.generation_config = _greedy(merged, tokenizer)
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    write_both_layouts(out)


def _greedy(model: Any, tokenizer: Any) -> Any:
    """Greedy decoding that ends with the answer: servers take their defaults from here."""
    from transformers import GenerationConfig

    given = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(given if isinstance(given, list) else [given])} - {None}
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    settings: Any = GenerationConfig
    return settings(do_sample=False, eos_token_id=sorted(ends), pad_token_id=pad)


def _located(base: Path) -> tuple[Path, str | None]:
    """A base's folder, and the GGUF file in it; None if the folder itself is the base."""
    if base.is_file():
        return base.parent, base.name
    if (base / "config.json").is_file():
        return base, None
    raise TrainingError(f"there is no base model {base}: name a GGUF file or a folder with config.json")


def _require_fit(model: Any, adapter: Path) -> None:
    """PEFT itself passes over what does not fit, with a warning at most."""
    from safetensors import SafetensorError, safe_open

    layers = dict(model.named_modules())
    try:
        with safe_open(adapter / WEIGHTS, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{adapter / WEIGHTS} can't be read: {error}") from error
    for name, shape in shapes.items():
        module, mark, side = name.removeprefix("base_model.model.").partition(".lora_")
        if mark and module not in layers:
            raise TrainingError(f"the adapter was trained on another base: this one has no layer {module}")
        if side in ("A.weight", "B.weight"):
            outputs, inputs = layers[module].weight.shape
            if (shape[1] if side[0] == "A" else shape[0]) != (inputs if side[0] == "A" else outputs):
                raise TrainingError(f"the adapter was trained on another base: {name} is {shape}, {module} has another")
