"""The base with the adapter merged into its weights, in the layout of transformers, for servers with a GPU.

One merged model for all tasks keeps text-generation-inference's prefix cache, which a separate adapter switches off.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import GenerationConfig

from route_sql.training.errors import TrainingError
from route_sql.training.export.merged_layout import write_both_layouts
from route_sql.training.tuning.base_model import load_base, load_tokenizer, with_adapter

MergedPrecision = Literal["bfloat16", "float16", "float32"]


def write_merged(adapter: Path, base: Path, out: Path, precision: MergedPrecision = "bfloat16") -> None:
    """Write the merged model with tokenizer, chat template and generation config, for servers and `from_pretrained`.

    The sum is taken in 32 bits and rounded once.

    Args:
        adapter: The folder that PEFT saved; any adapter that PEFT can merge.
        base: A GGUF file, or a folder in the layout of transformers.
        out: The folder to write.
        precision: The precision of the saved weights.

    Raises:
        TrainingError: adapter or base can't be loaded, or don't fit each other.
    """
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
    """Greedy decoding that stops at the end of the answer; servers take their defaults from here."""
    given = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(given if isinstance(given, list) else [given])} - {None}
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    settings: Any = GenerationConfig
    return settings(do_sample=False, eos_token_id=sorted(ends), pad_token_id=pad)
