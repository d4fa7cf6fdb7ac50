"""`route-sql train unpack`, the way back from a served model; on tiny random models."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from support.tiny_llama import make_tiny_llama
from support.tiny_lora import save_lora
from transformers import AutoModelForCausalLM

from route_sql.cli import main
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile
from route_sql.training.errors import TrainingError
from route_sql.training.export.gguf_adapter import read_adapter, write_adapter
from route_sql.training.export.lora import read_lora
from route_sql.training.export.unpacking import unpack_model


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTE_SQL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def exported(tiny_model: Path, tiny_gguf: Path, tmp_path: Path) -> Path:
    """A model folder, its base next to it."""
    base = shutil.copy(tiny_gguf, tmp_path / "tiny.gguf")
    adapter = save_lora(tiny_model, tmp_path / "trained", r=32)
    assert command("export", "--adapter", adapter, "--base", base, "--out", tmp_path / "ours") == 0
    return tmp_path / "ours"


def command(*arguments: object) -> int:
    try:
        main(["train", *map(str, arguments)])
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("the command line did not exit")


def logits(base: Path, adapter: Path) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        return PeftModel.from_pretrained(model, str(adapter))(torch.tensor([[5, 9, 2, 31]])).logits


def test_what_is_unpacked_computes_what_was_trained_and_exports_to_the_same_bytes(
    exported: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("unpack", "--model", exported, "--out", tmp_path / "unpacked") == 0
    base, adapter = tmp_path / "unpacked" / "base", tmp_path / "unpacked" / "adapter"
    said = capsys.readouterr().out
    assert str(base) in said and f"--adapter {adapter}" in said
    trained = logits(tiny_model, tmp_path / "trained")
    assert torch.allclose(logits(tiny_model, adapter), trained, atol=1e-3)
    assert (logits(base, adapter) - trained).abs().max() < 0.02 * trained.abs().max()
    again = tmp_path / "again"
    assert command("export", "--adapter", adapter, "--base", tmp_path / "tiny.gguf", "--out", again) == 0
    assert (again / "adapter.gguf").read_bytes() == (exported / "adapter.gguf").read_bytes()


def test_the_unpacked_base_has_the_weights_of_the_file(exported: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert command("unpack", "--model", exported, "--out", tmp_path / "unpacked") == 0
    ours, theirs = (AutoModelForCausalLM.from_pretrained(path) for path in (tmp_path / "unpacked/base", tiny_model))
    for name, weight in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name].float(), weight.float(), atol=1e-2), name
    assert (tmp_path / "unpacked" / "base" / "tokenizer.json").is_file()


def test_the_adapter_alone_can_be_tuned_further(exported: Path, make_run: object, tmp_path: Path) -> None:
    from route_sql.training.tuning.config import LoRA
    from route_sql.training.tuning.sft import fine_tune

    assert command("unpack", "--model", exported, "--out", tmp_path / "unpacked", "--adapter-only") == 0
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["adapter"]
    adapter = tmp_path / "unpacked" / "adapter"
    assert callable(make_run)
    out = fine_tune(make_run(adapter=str(adapter), lora=LoRA(rank=32, alpha=16, dropout=0), max_steps=2, lr=1e-3))
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (adapter, out / "final"))
    assert before.keys() == after.keys()
    moved = [float((after[name] - before[name]).abs().max()) for name in before]
    assert 0 < max(moved) < 0.02


@pytest.mark.parametrize("precision", ["float32", "q8_0"])
def test_llamas_rows_come_back_in_transformers_order(tmp_path: Path, precision: str) -> None:
    model, base = make_tiny_llama(tmp_path / "llama")
    trained = save_lora(model, tmp_path / "trained", r=32)
    write_adapter(trained, base, tmp_path / "adapter.gguf", precision)  # type: ignore[arg-type]
    wanted, found = read_lora(trained), read_adapter(tmp_path / "adapter.gguf", base)
    assert (found.rank, found.alpha, list(found.modules)) == (wanted.rank, wanted.alpha, list(wanted.modules))
    for module, pair in wanted.modules.items():
        for exact, read in ((pair.a, found.modules[module].a), (pair.b, found.modules[module].b)):
            assert np.abs(exact - read).max() <= (0.01 * np.abs(exact).max() if precision == "q8_0" else 0), module


def test_the_scale_of_the_profile_is_part_of_what_is_served(exported: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    profile = Profile(adapter=str(exported / "adapter.gguf"), adapter_scale=0.5)
    halved = ModelFile(tiny_gguf, "halved", profile)
    unpack_model(halved, tmp_path / "unpacked", base=False, say=lambda _: None)
    assert read_lora(tmp_path / "unpacked" / "adapter").alpha == 8
    odd = replace(halved, profile=replace(profile, adapter_scale=0.3))
    unpack_model(odd, tmp_path / "odd", base=False, say=lambda _: None)
    assert json.loads((tmp_path / "odd" / "adapter" / "adapter_config.json").read_text())["lora_alpha"] == 4.8


@pytest.mark.parametrize("there", ["base", "adapter"])
def test_what_is_there_is_not_replaced(
    exported: Path, tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "runs" / there / "adapter_model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_text("a week of training")
    assert command("unpack", "--model", exported, "--out", tmp_path / "runs") == 2
    assert f"{there} is there already" in capsys.readouterr().err
    assert kept.read_text() == "a week of training" and [path.name for path in kept.parents[1].iterdir()] == [there]


def test_what_is_no_adapter_of_the_base_is_refused(exported: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a LoRA adapter"):
        read_adapter(tiny_gguf, tiny_gguf)
    (tmp_path / "text.gguf").write_text("no adapter at all")
    with pytest.raises(TrainingError, match="not a GGUF adapter that can be read"):
        read_adapter(tmp_path / "text.gguf", tiny_gguf)
    _, llama = make_tiny_llama(tmp_path / "llama")
    with pytest.raises(TrainingError, match="another base"):
        read_adapter(exported / "adapter.gguf", llama)
    more, half = {"output.weight.lora_a": np.zeros((32, 64), np.float16)}, "blk.1.ffn_up.weight.lora_b"
    with pytest.raises(TrainingError, match="one pair of matrices.*output"):
        read_adapter(edited(exported / "adapter.gguf", tmp_path / "more.gguf", more=more), tiny_gguf)
    with pytest.raises(TrainingError, match="one pair of matrices.*ffn_up"):
        read_adapter(edited(exported / "adapter.gguf", tmp_path / "half.gguf", without=half), tiny_gguf)


def edited(adapter: Path, out: Path, more: Mapping[str, np.ndarray] | None = None, without: str = "") -> Path:
    """The adapter with tensors more, or without one that it has."""
    writer = gguf.GGUFWriter(out, "qwen2")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 16.0)
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(adapter).tensors}
    assert not without or tensors.pop(without) is not None
    for name, data in {**tensors, **(more or {})}.items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def test_a_model_without_an_adapter_has_nothing_but_its_base(
    tiny_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("unpack", "--model", tiny_gguf, "--out", tmp_path / "unpacked", "--adapter-only") == 2
    assert "has no adapter" in capsys.readouterr().err
    assert not (tmp_path / "unpacked").exists()
    assert command("unpack", "--model", tiny_gguf, "--out", tmp_path / "unpacked") == 0
    assert "--adapter" not in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["base"]
