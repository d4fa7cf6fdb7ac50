"""A model of Llama's architecture with random weights: GGUF keeps its q and k rows in another order than transformers.

The tokenizer is that of the tiny Qwen2 model.
"""

from pathlib import Path

import gguf
import torch
from support.tiny_model import CONTEXT, VOCABULARY, _add_tokenizer, make_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

HEADS, KV_HEADS, WIDTH = 4, 2, 96
ROPE_BASE = 10_000.0


def make_tiny_llama(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write a model, in transformers' layout and as GGUF; returns its folder and its file."""
    tokenizer = AutoTokenizer.from_pretrained(make_tiny_model(folder / "tokenizer"))
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        initializer_range=0.1,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    file = folder / "llama.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name("tiny random Llama")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(VOCABULARY)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    _add_tokenizer(writer, tokenizer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        known = names.get_name(name, try_suffixes=(".weight",))
        assert known, f"GGUF has no name for {name}"
        heads = HEADS if "q_proj" in name else KV_HEADS if "k_proj" in name else None
        writer.add_tensor(known, (_interleaved(tensor, heads) if heads else tensor).contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "model", file


def _interleaved(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Row i of a head's first half, then row i of its second half."""
    one, two = rows.reshape(heads, 2, -1, rows.shape[1]).unbind(dim=1)
    return torch.stack([one, two], dim=2).reshape(rows.shape)
