"""Adapters converted for llama.cpp, on tiny random models: what is served computes what PEFT does."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_llama import make_tiny_llama
from support.tiny_lora import save_lora

from route_sql.serving.profile import Profile
from route_sql.training.errors import TrainingError
from route_sql.training.export.agreement import Agreement, Conversation, agreement, load_conversations
from route_sql.training.export.gguf_adapter import write_adapter

pytestmark = pytest.mark.filterwarnings("ignore:.*save_embedding_layers:UserWarning")

CONVERSATIONS = [
    Conversation(
        [{"role": "system", "content": "You write SQLite queries."}, {"role": "user", "content": f"How many {thing}?"}],
        f"SELECT count(*) FROM {thing}",
    )
    for thing in ("singers", "concerts", "stadiums")
]


@pytest.fixture(autouse=True)
def a_cache_of_their_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tokenizers of tiny models have no place in the user's cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def qwen(tiny_model: Path, tiny_gguf: Path) -> tuple[Path, Path]:
    """A model of Qwen2's architecture: its folder and its GGUF file."""
    return tiny_model, tiny_gguf


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_tiny_llama(tmp_path_factory.mktemp("llama"))


@contextmanager
def edited_config(adapter: Path) -> Iterator[dict[str, Any]]:
    config = json.loads((adapter / "adapter_config.json").read_text())
    yield config
    (adapter / "adapter_config.json").write_text(json.dumps(config))


@contextmanager
def edited_weights(adapter: Path) -> Iterator[dict[str, torch.Tensor]]:
    tensors = load_file(adapter / "adapter_model.safetensors")
    yield tensors
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, adapter / "adapter_model.safetensors")


async def compare(adapter: Path, base: Path, served: Path) -> Agreement:
    profile = Profile(context=512)
    return await agreement(CONVERSATIONS, adapter=adapter, base=base, served=served, profile=profile)


@pytest.mark.parametrize("rslora", [False, True])
async def test_the_served_adapter_computes_what_was_trained(
    qwen: tuple[Path, Path], tmp_path: Path, rslora: bool
) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter", use_rslora=rslora)
    assert write_adapter(adapter, base, tmp_path / "adapter.gguf").architecture == "qwen2"
    found = await compare(adapter, base, tmp_path / "adapter.gguf")
    assert found.good, found
    assert found.control > 20 * found.adapter
    found.require()


async def test_another_scale_than_that_of_training_is_seen(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = qwen
    right = save_lora(model, tmp_path / "right", use_rslora=True)
    wrong = save_lora(model, tmp_path / "wrong", use_rslora=False)
    write_adapter(wrong, base, tmp_path / "adapter.gguf")
    with pytest.raises(TrainingError, match="does not compute what was trained"):
        (await compare(right, base, tmp_path / "adapter.gguf")).require()


async def test_an_adapter_that_changes_nothing_proves_nothing(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter")
    with edited_weights(adapter) as tensors:
        tensors.update({name: tensor * 0 for name, tensor in tensors.items() if "lora_B" in name})
    write_adapter(adapter, base, tmp_path / "adapter.gguf")
    with pytest.raises(TrainingError, match="too little to tell"):
        (await compare(adapter, base, tmp_path / "adapter.gguf")).require()


async def test_llamas_rows_stand_in_the_order_of_the_base(llama: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = llama
    adapter = save_lora(model, tmp_path / "adapter")
    assert write_adapter(adapter, base, tmp_path / "adapter.gguf").architecture == "llama"
    found = await compare(adapter, base, tmp_path / "adapter.gguf")
    assert found.good, found
    # The same adapter in transformers' order: with q and k put in the reverse of our order first, ours undoes it.
    reversed_order = save_lora(model, tmp_path / "reversed")
    with edited_weights(reversed_order) as tensors:
        for name, heads in (("q_proj", 4), ("k_proj", 2)):
            for key in [key for key in tensors if f"{name}.lora_B" in key]:
                rows = tensors[key]
                pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, rows.shape[1])
                tensors[key] = pairs.swapaxes(1, 2).reshape(rows.shape)
    write_adapter(reversed_order, base, tmp_path / "unordered.gguf")
    unordered = await compare(adapter, base, tmp_path / "unordered.gguf")
    assert not unordered.good, unordered
    with pytest.raises(TrainingError, match="does not compute what was trained"):
        unordered.require()


def test_the_same_adapter_gives_the_same_bytes_in_half_the_precision(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter")
    for name in ("one.gguf", "two.gguf"):
        write_adapter(adapter, base, tmp_path / name)
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "two.gguf").read_bytes()
    tensors = gguf.GGUFReader(tmp_path / "one.gguf").tensors
    assert {tensor.tensor_type for tensor in tensors} == {gguf.GGMLQuantizationType.F16}
    assert len(tensors) == 2 * 2 * 7  # halves, layers, projections
    write_adapter(adapter, base, tmp_path / "whole.gguf", "float32")
    whole = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "whole.gguf").tensors}
    given = load_file(adapter / "adapter_model.safetensors")
    wanted = given["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"].numpy()
    assert np.array_equal(whole["blk.1.ffn_down.weight.lora_a"], wanted)


def test_eight_bits_a_number_are_within_a_hundredth(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter", r=32)
    write_adapter(adapter, base, tmp_path / "small.gguf", "q8_0")
    write_adapter(adapter, base, tmp_path / "whole.gguf", "float32")
    small, whole = (gguf.GGUFReader(tmp_path / name).tensors for name in ("small.gguf", "whole.gguf"))
    for rounded, exact in zip(small, whole, strict=True):
        assert rounded.tensor_type == gguf.GGMLQuantizationType.Q8_0
        values = gguf.quants.dequantize(rounded.data, rounded.tensor_type)
        assert np.abs(values - exact.data).max() < 0.01 * np.abs(exact.data).max()
    sizes = [(tmp_path / name).stat().st_size for name in ("small.gguf", "whole.gguf")]
    assert sizes[0] < 0.3 * sizes[1]


def test_eight_bits_want_rows_of_32(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter")
    with pytest.raises(TrainingError, match="no multiple of 32; write float16"):
        write_adapter(adapter, base, tmp_path / "small.gguf", "q8_0")
    assert not (tmp_path / "small.gguf").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"rank_pattern": {"q_proj": 4}}, "ranks"),
        ({"alpha_pattern": {"q_proj": 4}}, "scales"),
        ({"trainable_token_indices": [3]}, "single tokens"),
        ({"init_lora_weights": "pissa"}, "changes the base"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "embed_tokens"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(
    qwen: tuple[Path, Path], tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter", **settings)
    with pytest.raises(TrainingError, match=reason):
        write_adapter(adapter, base, tmp_path / "adapter.gguf")
    assert not list(tmp_path.glob("*.gguf*"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target_parameters": ["mlp.weight"]}, "bare parameters"),
        ({"layer_replication": [[0, 1], [0, 1]]}, "repeats layers"),
        ({"lora_bias": True}, "biases"),
        ({"made_next_year": {"depth": 2}}, "made_next_year"),
        ({"peft_type": "IA3"}, "not a LoRA"),
        ({"r": 4}, "not of rank 4"),
    ],
)
def test_settings_that_we_do_not_know_are_refused(
    qwen: tuple[Path, Path], tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter")
    with edited_config(adapter) as config:
        config.update(change)
    with pytest.raises(TrainingError, match=reason):
        write_adapter(adapter, base, tmp_path / "adapter.gguf")


def lose_a_half(tensors: dict[str, torch.Tensor]) -> None:
    tensors.pop(next(name for name in tensors if "lora_A" in name))


def go_astray(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values()))[0, 0] = float("nan")


def explode(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values()))[0, 0] = 1e6


def name_a_layer_more(tensors: dict[str, torch.Tensor]) -> None:
    tensors.update({name.replace("layers.1.", "layers.2."): tensor.clone() for name, tensor in list(tensors.items())})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lose_a_half, "only its half"),
        (go_astray, "not numbers"),
        (explode, "too large for float16"),
        (name_a_layer_more, "no layer model.layers.2"),
        (dict.clear, "no tensor"),
    ],
)
def test_weights_that_cannot_be_right_are_refused(
    qwen: tuple[Path, Path], tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], reason: str
) -> None:
    model, base = qwen
    adapter = save_lora(model, tmp_path / "adapter")
    with edited_weights(adapter) as tensors:
        change(tensors)
    with pytest.raises(TrainingError, match=reason):
        write_adapter(adapter, base, tmp_path / "adapter.gguf")


def test_another_base_is_refused(qwen: tuple[Path, Path], llama: tuple[Path, Path], tmp_path: Path) -> None:
    adapter = save_lora(qwen[0], tmp_path / "adapter")
    with pytest.raises(TrainingError, match="another base"):
        write_adapter(adapter, llama[1], tmp_path / "adapter.gguf")


def test_a_base_that_is_no_model_is_refused(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    adapter = save_lora(qwen[0], tmp_path / "adapter")
    (tmp_path / "page.gguf").write_text("<html>" * 100)
    for base in (tmp_path / "page.gguf", tmp_path / "missing.gguf"):
        with pytest.raises(TrainingError, match="not a GGUF model"):
            write_adapter(adapter, base, tmp_path / "adapter.gguf")
    strange = gguf.GGUFWriter(tmp_path / "strange.gguf", "mamba")
    for number in ("block_count", "context_length", "attention.head_count"):
        strange.add_uint32(f"mamba.{number}", 2)
    strange.write_header_to_file()
    strange.write_kv_data_to_file()
    strange.write_tensors_to_file()
    strange.close()
    with pytest.raises(TrainingError, match="architecture 'mamba'"):
        write_adapter(adapter, tmp_path / "strange.gguf", tmp_path / "adapter.gguf")


def test_a_folder_without_an_adapter(qwen: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no adapter"):
        write_adapter(tmp_path, qwen[1], tmp_path / "adapter.gguf")


def test_conversations_are_spread_over_the_file(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": [{"role": "user", "content": f"{n}\u2028\x85"}],
            "completion": [{"role": "assistant", "content": f"{n}!"}],
        }
        for n in range(10)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    assert [found.completion for found in load_conversations(tmp_path / "rows.jsonl", 3)] == ["0!", "3!", "6!"]
    assert len(load_conversations(tmp_path / "rows.jsonl", 99)) == 10
    (tmp_path / "other.jsonl").write_text('{"question": "?"}\n')
    with pytest.raises(TrainingError, match="train data"):
        load_conversations(tmp_path / "other.jsonl", 3)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TrainingError, match="no conversation"):
        load_conversations(tmp_path / "empty.jsonl", 3)
