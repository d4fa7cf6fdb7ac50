"""The base model, its tokenizer, and an adapter on it: loaded here for tuning, sampling, merging and comparing."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, PreTrainedTokenizerBase

from route_sql.tools.files import written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.tuning.adapter_files import read_adapter_config, require_fit
from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.prompt_trees import attention as tree_attention
from route_sql.training.tuning.prompt_trees.lora_layer import LoRALinear

_HEAD = 32 * 1024 * 1024


def load_tokenizer(base: Path, folder: Path | None = None) -> PreTrainedTokenizerBase:
    """Load a base's tokenizer.

    Args:
        base: A GGUF file or a folder in transformers' layout.
        folder: The folder with the tokenizer; None for the base's own.

    Raises:
        TrainingError: there is no base or no tokenizer, or it has no chat template.
    """
    _located(base)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(tokenizer_folder(base, folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers can't load the tokenizer of {base}: {error}") from error
    if not tokenizer.chat_template:
        raise TrainingError(f"the base {base} has no chat template; take an instruction-tuned model")
    return tokenizer


def tokenizer_folder(base: Path, given: Path | None = None) -> Path:
    """The folder with a base's tokenizer, `tokenizer.json` among its files.

    A tokenizer takes half a minute to read from a GGUF file, so it is kept in the user's cache.

    Raises:
        TrainingError: there is no tokenizer.
    """
    folder = given or (base if base.is_dir() else _kept_tokenizer(base))
    if not (folder / "tokenizer.json").is_file():
        raise TrainingError(f"there is no tokenizer.json in {folder}; name the folder of the model's tokenizer")
    return folder


def load_base(base: Path, dtype: torch.dtype = torch.float32, attention: str | None = None) -> PreTrainedModel:
    """Load a base's weights, dense whatever the file's quantization, so that they can be tuned, merged and saved.

    Args:
        base: A GGUF file or a folder in transformers' layout.
        dtype: The dtype of the loaded weights.
        attention: transformers' `attn_implementation`; None for its default.

    Raises:
        TrainingError: there is no base, or transformers can't load it.
    """
    folder, file = _located(base)
    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    if file:
        # Without this the model would count as quantized, and transformers would refuse to save it.
        options |= {"gguf_file": file, "quantization_config": GgufConfig(dequantize=True)}
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise
        raise TrainingError(f"transformers can't load the base {base}: {error}") from error
    if file:
        # PEFT would look there for the config of a folder.
        model.name_or_path = ""
    return model.eval()


def with_adapter(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """A base with a saved adapter, to be asked or merged.

    Raises:
        TrainingError: the adapter does not fit the base, or can't be read.
    """
    read_adapter_config(adapter)
    require_fit(model, adapter)
    return _with_adapter(model, adapter).eval()


def model_to_tune(run: SFTRun) -> tuple[PreTrainedModel | PeftModel, LoraConfig | None]:
    """The model for a trainer: with the adapter to tune further, or with the settings of a new one.

    Weights that will be tuned are kept in 32 bits: steps as small as theirs are lost in 16.

    Raises:
        TrainingError: base or adapter are not there, or the adapter has another shape than the run's settings.
    """
    dtype = torch.bfloat16 if run.dtype == "bf16" and run.lora else torch.float32
    model = load_base(Path(run.base), dtype, tree_attention.NAME if run.as_trees else run.attention)
    model.config.use_cache = False
    if run.lora is None:
        return model, None
    config = lora_config(run.lora)
    if run.as_trees:
        config._register_custom_module({torch.nn.Linear: LoRALinear})
    if run.adapter is None:
        return model, config
    _check_adapter(Path(run.adapter), run.lora)
    return _with_adapter(model, Path(run.adapter), is_trainable=True, config=config), None


def lora_config(lora: LoRA) -> LoraConfig:
    """The settings in PEFT's words."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        use_rslora=lora.rslora,
        task_type="CAUSAL_LM",
    )


def _with_adapter(model: PreTrainedModel, adapter: Path, **options: Any) -> PeftModel:
    try:
        return PeftModel.from_pretrained(model, str(adapter), local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise
        raise TrainingError(f"PEFT can't load the adapter {adapter} on this base: {error}") from error


def _check_adapter(folder: Path, lora: LoRA) -> None:
    then = read_adapter_config(folder)
    wanted = {"r": lora.rank, "lora_alpha": lora.alpha, "use_rslora": lora.rslora}
    if other := [f"{key} is {then.get(key)}, not {value}" for key, value in wanted.items() if then.get(key) != value]:
        raise TrainingError(f"the adapter in {folder} has other settings than the run: {'; '.join(other)}")


def _located(base: Path) -> tuple[Path, str | None]:
    """A base's folder, and the GGUF file in it; None if the folder itself is the base."""
    if base.is_file():
        return base.parent, base.name
    if (base / "config.json").is_file():
        return base, None
    raise TrainingError(f"there is no base model {base}: name a GGUF file or a folder with config.json")


def _kept_tokenizer(file: Path) -> Path:
    # Here and not above: a machine that only trains, with its tokenizer given, may lack it.
    from platformdirs import user_cache_path

    with file.open("rb") as opened:
        digest = hashlib.sha256(opened.read(_HEAD)).hexdigest()[:16]
    folder = user_cache_path("route-sql") / "tokenizers" / f"{file.stem}-{digest}"
    if not (folder / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
        with written_whole(folder) as draft:
            tokenizer.save_pretrained(draft)
    return folder
