"""Models of three architectures with random weights, and chat templates of several habits, made on the spot.

`llama` covers Llama, Mistral, CodeLlama and DeepSeek-Coder. The tokenizer is trained on the agents' own source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import torch
from support.tiny_model import CHAT_TEMPLATE, CONTEXT, END_OF_TEXT, END_OF_TURN, VOCABULARY, _merges, _tokenizer
from support.tiny_pieces import add_pieces, pieces_tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerBase, Qwen2Config, Qwen3Config

BEGIN = END_OF_TEXT
"""The token at the beginning of a text; the vocabulary has it already."""
_GENERATION = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
WRITES_BEGIN = "{{- bos_token }}" + CHAT_TEMPLATE
"""Writes the begin token, which the tokenizer would add as well."""
NO_SYSTEM = (
    "{{- bos_token }}"
    "{%- if messages[0]['role'] == 'system' %}{{- raise_exception('System role not supported') }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{%- endif %}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>' + '\n' }}"
    "{%- endfor %}" + _GENERATION
)
"""Has no system role and wants turns that alternate."""
THINKS = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\n' }}"
    "{%- if message['role'] == 'assistant' %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{{- message['content'] + '<|im_end|>' + '\n' }}"
    "{%- endfor %}" + _GENERATION
)
"""Writes an empty thought before a reply."""


@dataclass(frozen=True)
class Family:
    """An architecture and the habits of its chat."""

    architecture: str
    template: str = CHAT_TEMPLATE
    begins: bool = False
    """Whether the tokenizer adds the begin token."""
    pieces: bool = False
    """Whether the tokenizer has pieces with scores, as Llama 2 has, instead of bytes that are merged."""
    spaces: bool = False
    """Whether pieces after a special token begin with a space when the model is served."""

    @property
    def name(self) -> str:
        """The architecture, and the kind of tokenizer if it is not merged bytes."""
        return self.architecture + "-pieces" * self.pieces


@dataclass(frozen=True)
class TinyModel:
    """A model in transformers' layout, and the same weights as a GGUF file."""

    folder: Path
    file: Path


_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.1,
}
_ROPE: dict[str, Any] = {"rope_type": "default", "rope_theta": 50_000.0}


def make_family(folder: Path, family: Family, seed: int = 0) -> TinyModel:
    """Write a model of a family; the same seed gives the same weights."""
    tokenizer = pieces_tokenizer(family.template) if family.pieces else _with_habits(_tokenizer(), family)
    config = _config(family, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    made = TinyModel(folder / "model", folder / f"{family.architecture}.gguf")
    model.save_pretrained(made.folder)
    tokenizer.save_pretrained(made.folder)
    _write_gguf(made.file, model, tokenizer, family)
    return made


def _with_habits(tokenizer: Any, family: Family) -> Any:
    tokenizer.chat_template = family.template
    if family.begins or "bos_token" in family.template:
        tokenizer.bos_token = BEGIN
    if family.begins:
        begin = (BEGIN, tokenizer.convert_tokens_to_ids(BEGIN))
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[begin])
    return tokenizer


def _config(family: Family, tokenizer: PreTrainedTokenizerBase) -> Any:
    ids: dict[str, Any] = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    common = {**_SIZES, **ids, "bos_token_id": tokenizer.bos_token_id, "rope_parameters": dict(_ROPE)}
    if family.architecture == "llama":
        return LlamaConfig(hidden_size=96, tie_word_embeddings=False, **common)
    if family.architecture == "qwen2":
        return Qwen2Config(hidden_size=64, tie_word_embeddings=False, **common)
    # Heads of another size than width / heads, and tied embeddings, as Qwen3's small models have them.
    return Qwen3Config(hidden_size=64, head_dim=128, tie_word_embeddings=True, **common)


def _write_gguf(file: Path, model: Any, tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    writer = gguf.GGUFWriter(file, family.architecture)
    writer.add_name(f"tiny random {family.architecture}")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_sizes(writer, model.config, family)
    if family.pieces:
        add_pieces(writer, tokenizer, family.spaces)
    else:
        _add_tokenizer(writer, tokenizer)
    writer.add_add_bos_token(family.begins)
    writer.add_chat_template(family.template)
    for name, tensor in _tensors(model, family):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_sizes(writer: gguf.GGUFWriter, config: Any, family: Family) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(_ROPE["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if family.architecture == "llama":
        writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    if family.architecture == "qwen3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)


def _tensors(model: Any, family: Family) -> Iterator[tuple[str, Any]]:
    config = model.config
    names = gguf.get_tensor_name_map(
        next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == family.architecture),
        config.num_hidden_layers,
    )
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert known, f"GGUF has no name for {name}"
        turned = next((count for part, count in heads.items() if part in name), 0) * (family.architecture == "llama")
        yield known, (_interleaved(tensor, turned) if turned else tensor).contiguous().numpy()


def _interleaved(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Row i of a head's first half, then row i of its second half: the order of llama.cpp for Llama."""
    one, two = rows.reshape(heads, 2, -1, rows.shape[1]).unbind(dim=1)
    return torch.stack([one, two], dim=2).reshape(rows.shape)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    control = {END_OF_TEXT, END_OF_TURN, "<|im_start|>"}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in control else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(merge) for merge in _merges(tokenizer.backend_tokenizer)])
    writer.add_bos_token_id(ids[BEGIN])
    writer.add_eos_token_id(ids[END_OF_TURN])
    writer.add_pad_token_id(ids[END_OF_TEXT])
