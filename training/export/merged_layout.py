"""The files of a merged model in both layouts: that of transformers 4, which servers still pin, and that of 5.

text-generation-inference reads the chat template from `tokenizer_config.json`, `rope_theta` and `torch_dtype` from the
top of `config.json`. Where transformers 4 misses `rope_theta`, it silently takes 10,000, which changes the
answers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from route_sql.training.errors import TrainingError
from route_sql.training.export.json_object import read_object

CONFIG, TOKENIZER_CONFIG, TEMPLATE = "config.json", "tokenizer_config.json", "chat_template.jinja"
OLD_ROPE_THETA = 10_000.0
"""The `rope_theta` that transformers 4 takes if `config.json` has none at its top level."""
_OURS = ("is_local", "local_files_only", "name_or_path")
"""Keys about the machine that wrote a tokenizer."""
_READABLE = 0o644


@dataclass(frozen=True)
class MergedSettings:
    """The settings that a version of transformers reads from a merged folder, where versions may differ."""

    rope_theta: float | None
    """None for a model without rotary positions."""
    dtype: str
    chat_template: str


def write_both_layouts(folder: Path) -> None:
    """Complete a folder that transformers 5 saved, so that transformers 4 reads the same model."""
    config = read_object(folder / CONFIG)
    _write(folder / CONFIG, _in_both_ways(config))
    tokenizer = {key: value for key, value in read_object(folder / TOKENIZER_CONFIG).items() if key not in _OURS}
    tokenizer["chat_template"] = _template(folder)
    if tokenizer.get("tokenizer_class") == "TokenizersBackend":
        tokenizer["tokenizer_class"] = "PreTrainedTokenizerFast"
    extra = tokenizer.get("extra_special_tokens")
    if isinstance(extra, list):  # transformers 4 wants a mapping here, and has another name for the list
        del tokenizer["extra_special_tokens"]
        tokenizer["additional_special_tokens"] = extra
    _write(folder / TOKENIZER_CONFIG, tokenizer)
    for path in folder.iterdir():
        path.chmod(_READABLE)  # servers run as another user


def old_reading(folder: Path) -> MergedSettings:
    """The settings that transformers 4.51 reads from the files.

    Raises:
        TrainingError: it would find no chat template, or can't read a file.
    """
    config, tokenizer = read_object(folder / CONFIG), read_object(folder / TOKENIZER_CONFIG)
    template = tokenizer.get("chat_template")
    if not isinstance(template, str):
        raise TrainingError(f"{folder / TOKENIZER_CONFIG} holds no chat template, where servers look for it")
    has_rope = "rope_theta" in config or "rope_parameters" in config
    theta = float(config.get("rope_theta", OLD_ROPE_THETA)) if has_rope else None
    return MergedSettings(theta, str(config.get("torch_dtype", "float32")), template)


def new_reading(folder: Path) -> MergedSettings:
    """The settings that the installed transformers reads.

    Raises:
        TrainingError: it can't read the folder.
    """
    from transformers import AutoConfig, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers can't read the merged model {folder}: {error}") from error
    theta = rope_of(getattr(config, "rope_parameters", None) or {}).get("rope_theta")
    dtype = str(config.dtype).removeprefix("torch.")
    return MergedSettings(None if theta is None else float(theta), dtype, tokenizer.chat_template or "")


def require_one_reading(folder: Path) -> MergedSettings:
    """Check that old and new versions of transformers read the same settings, and return them.

    Raises:
        TrainingError: they don't, or a file can't be read by other users.
    """
    old, new = old_reading(folder), new_reading(folder)
    if old != new:
        raise TrainingError(f"transformers 4 and 5 read the merged model {folder} differently: {old} and {new}")
    closed = [path.name for path in folder.iterdir() if path.stat().st_mode & _READABLE != _READABLE]
    if closed:
        raise TrainingError(f"a server can't read {', '.join(closed)} in {folder}; chmod 644 lets it")
    return new


def rope_of(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rotary settings of a model's full attention, if kinds of layers have their own."""
    full = parameters.get("full_attention")
    return full if isinstance(full, Mapping) else parameters


def _in_both_ways(config: dict[str, Any]) -> dict[str, Any]:
    parameters = config.get("rope_parameters") or {}
    rope, sliding = rope_of(parameters), parameters.get("sliding_attention")
    both = {key: value for key, value in config.items() if key != "_model_name_or_path"}  # a path of this machine
    if "rope_theta" in rope:
        both["rope_theta"] = rope["rope_theta"]
    if isinstance(sliding, Mapping) and "rope_theta" in sliding:
        both["rope_local_base_freq"] = sliding["rope_theta"]
    if rope.get("rope_type", "default") != "default":
        both["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
    dtype = config.get("dtype") or config.get("torch_dtype")
    return both | ({"dtype": dtype, "torch_dtype": dtype} if dtype else {})


def _template(folder: Path) -> str:
    try:
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"the merged model {folder} has no chat template: {error}") from error


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
