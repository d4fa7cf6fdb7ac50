"""Merged models: what `from_pretrained` finds in the folder computes what base and adapter did together."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from route_sql.training.errors import TrainingError
from route_sql.training.export.merged_model import write_merged

TEXT = "SELECT name FROM singer WHERE age > 20"


@pytest.fixture(autouse=True)
def a_cache_of_their_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tokenizers of tiny models have no place in the user's cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    return save(tiny_model, tmp_path / "adapter")


def save(model: Path, out: Path, **settings: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        tuned = get_peft_model(base, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **settings))
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    tuned.save_pretrained(str(out))
    return out


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(**tokenizer(TEXT, return_tensors="pt")).logits
    return found


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_merged_model_is_base_and_adapter(
    tiny_model: Path, tiny_gguf: Path, tmp_path: Path, kind: str, dora: bool
) -> None:
    adapter = save(tiny_model, tmp_path / "adapter", use_dora=dora)
    write_merged(adapter, tiny_gguf if kind == "file" else tiny_model, tmp_path / "merged", "float32")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    bare = logits(base, tokenizer)
    tuned = logits(PeftModel.from_pretrained(base, adapter), tokenizer)
    assert torch.allclose(logits(merged, tokenizer), tuned, atol=1e-4)
    assert not torch.allclose(bare, tuned, atol=1e-1)


def test_a_server_finds_all_that_it_needs(tiny_gguf: Path, tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    write_merged(adapter, tiny_gguf, tmp_path / "merged")
    tensors = load_file(tmp_path / "merged" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert not [name for name in tensors if "lora" in name]
    messages = [{"role": "system", "content": "You write SQL."}, {"role": "user", "content": "How many?"}]
    ours, theirs = AutoTokenizer.from_pretrained(tmp_path / "merged"), AutoTokenizer.from_pretrained(tiny_model)
    rendered = ours.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert ours(rendered)["input_ids"] == theirs(rendered)["input_ids"]
    settings = GenerationConfig.from_pretrained(tmp_path / "merged")
    assert settings.do_sample is False
    assert theirs.eos_token_id in settings.eos_token_id


def test_another_base_is_refused(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    more = {name.replace("layers.1.", "layers.2."): tensor.clone() for name, tensor in tensors.items()}
    save_file(tensors | more, path)
    with pytest.raises(TrainingError, match="no layer model.layers.2"):
        write_merged(adapter, tiny_model, tmp_path / "merged")
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    save_file(tensors | {name: torch.zeros(8, 10)}, path)
    with pytest.raises(TrainingError, match="another base"):
        write_merged(adapter, tiny_model, tmp_path / "merged")


def test_what_is_not_there_is_said(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    for base in (tmp_path / "missing.gguf", tmp_path):
        with pytest.raises(TrainingError, match="no base model"):
            write_merged(adapter, base, tmp_path / "merged")
    with pytest.raises(TrainingError, match="holds no adapter"):
        write_merged(tmp_path, tiny_model, tmp_path / "merged")
