"""The model that a run starts from: its tokenizer, its weights, and an adapter on them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, PreTrainedTokenizerBase

from route_sql.training.errors import TrainingError
from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.prompt_trees import attention
from route_sql.training.tuning.prompt_trees.lora_layer import LoRALinear

_HEAD = 32 * 1024 * 1024


def load_tokenizer(run: SFTRun) -> PreTrainedTokenizerBase:
    """The tokenizer of a run's base.

    Raises:
        TrainingError: there is no base, or no tokenizer in the folder that the run names.
    """
    return AutoTokenizer.from_pretrained(tokenizer_folder(base_path(run), run.tokenizer), local_files_only=True)


def tokenizer_folder(base: Path, given: str | None = None) -> Path:
    """A folder with the tokenizer of a base, `tokenizer.json` among its files.

    That of a GGUF file takes half a minute to read, so it is kept in the user's cache.

    Raises:
        TrainingError: there is no tokenizer.
    """
    folder = Path(given) if given else base if base.is_dir() else _kept_tokenizer(base)
    if not (folder / "tokenizer.json").is_file():
        raise TrainingError(f"there is no tokenizer.json in {folder}; name the folder of the model's tokenizer")
    return folder


def base_path(run: SFTRun) -> Path:
    """Where the base is.

    Raises:
        TrainingError: not there.
    """
    path = Path(run.base)
    if path.is_file() or (path / "config.json").is_file():
        return path
    raise TrainingError(f"there is no base model {run.base}: name a GGUF file or a folder with config.json")


def load_base(run: SFTRun) -> PreTrainedModel:
    """The weights, dense whatever the file's quantization, so that they can be trained, merged and saved.

    Weights that will be tuned are kept in 32 bits: steps as small as theirs are lost in 16.
    """
    path = base_path(run)
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if run.dtype == "bf16" and run.lora else torch.float32,
        "attn_implementation": attention.NAME if run.as_trees else run.attention,
        "local_files_only": True,
    }
    if path.is_file():
        # Left as it is, the model would count as quantized and could not be saved.
        options |= {"gguf_file": path.name, "quantization_config": GgufConfig(dequantize=True)}
    model = AutoModelForCausalLM.from_pretrained(path.parent if path.is_file() else path, **options)
    model.config.use_cache = False
    if path.is_file():
        # PEFT would look there for the config of a folder; run.yaml says which file it is.
        model.name_or_path = ""
    return model


def with_adapter(model: PreTrainedModel, run: SFTRun) -> tuple[PreTrainedModel | PeftModel, LoraConfig | None]:
    """The model as a trainer takes it: with the adapter to go on from, or with the settings of a new one.

    Raises:
        TrainingError: the adapter is not there, or of another shape than the run's settings.
    """
    if run.lora is None:
        return model, None
    config = lora_config(run.lora)
    if run.as_trees:
        config._register_custom_module({torch.nn.Linear: LoRALinear})
    if run.adapter is None:
        return model, config
    _check_adapter(Path(run.adapter), run.lora)
    tuned = PeftModel.from_pretrained(model, run.adapter, is_trainable=True, local_files_only=True, config=config)
    return tuned, None


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


def _check_adapter(folder: Path, lora: LoRA) -> None:
    file = folder / "adapter_config.json"
    if not file.is_file():
        raise TrainingError(f"there is no adapter in {folder}: adapter_config.json is missing")
    then = json.loads(file.read_text(encoding="utf-8"))
    wanted = {"r": lora.rank, "lora_alpha": lora.alpha, "use_rslora": lora.rslora}
    if other := [f"{key} is {then.get(key)}, not {value}" for key, value in wanted.items() if then.get(key) != value]:
        raise TrainingError(f"the adapter in {folder} is another than the run's: {'; '.join(other)}")


def _kept_tokenizer(file: Path) -> Path:
    # Here and not above: a machine that only trains, with its tokenizer given, may lack it.
    from platformdirs import user_cache_path

    with file.open("rb") as opened:
        digest = hashlib.sha256(opened.read(_HEAD)).hexdigest()[:16]
    folder = user_cache_path("route-sql") / "tokenizers" / f"{file.stem}-{digest}"
    if not (folder / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
        part = folder.with_name(f"{folder.name}.part")
        tokenizer.save_pretrained(part)
        part.rename(folder)
    return folder
