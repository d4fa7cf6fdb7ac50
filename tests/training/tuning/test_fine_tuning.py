"""Fine-tuning of a tiny random model: what it leaves, what it learns from, and how it goes on."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from support.made_rows import write_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from route_sql.training.errors import TrainingError
from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.conversation_tokens import IGNORED, encode_file
from route_sql.training.tuning.loss_log import read_losses
from route_sql.training.tuning.sft import fine_tune

MakeRun = Callable[..., SFTRun]


def own_loss(model: Any, file: Path, tokenizer: Any) -> float:
    """The mean loss of a supervised token, one row at a time, without padding or packing."""
    total, count = 0.0, 0
    for row in encode_file(file, tokenizer, 4096):
        labels = torch.tensor(row["labels"][1:])
        with torch.no_grad():
            logits = model(torch.tensor([row["input_ids"]])).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum"))
        count += int((labels != IGNORED).sum())
    return total / count


def test_what_a_run_leaves(make_run: MakeRun, tiny_model: Path) -> None:
    heard: list[tuple[int, int, str]] = []
    out = fine_tune(make_run(), progress=lambda *said: heard.append(said))
    lines = read_losses(out / "losses.csv")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[-1]["loss"] < lines[0]["loss"]  # type: ignore[operator]
    for task in ("text_to_sql", "schema_linking"):
        losses = [line[f"eval_{task}_loss"] for line in lines]
        assert [value is None for value in losses] == [True, True, False, True, True, False]
        assert losses[5] < losses[2]  # type: ignore[operator]
    assert (out / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert heard[0] == (0, 6, "") and heard[-1][:2] == (6, 6)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    tuned = PeftModel.from_pretrained(base, out / "final")
    learned = {name.split(".")[-4] for name, _ in tuned.named_parameters() if "lora_B" in name}
    assert learned == {f"{part}_proj" for part in ("q", "k", "v", "o", "gate", "up", "down")}
    assert AutoTokenizer.from_pretrained(out / "final").chat_template


def test_the_record_counts_rows_and_tokens(make_run: MakeRun, rows_folder: Path, tiny_model: Path) -> None:
    run = make_run(eval_rows=3)
    record = yaml.safe_load((fine_tune(run) / "run.yaml").read_text())
    rows = encode_file(rows_folder / "text_to_sql.train.jsonl", AutoTokenizer.from_pretrained(tiny_model), 512)
    counts = record["data"]["text_to_sql"]
    assert (counts["rows"], counts["eval_rows"]) == (48, 3)
    assert counts["tokens"] == sum(map(len, rows["input_ids"]))
    assert counts["drawn"] >= 48 and record["data"]["schema_linking"]["drawn"] >= 16
    assert record["settings"]["lora"] == {
        "rank": 4,
        "alpha": 8,
        "dropout": 0.05,
        "targets": "all-linear",
        "rslora": False,
    }
    assert torch.__version__.startswith(record["versions"]["torch"].partition("+")[0])
    assert record["versions"]["trl"]
    assert record["result"]["steps"] == 6


@pytest.mark.parametrize("packing", [True, "trees"])
def test_the_rows_of_several_folders_are_drawn_together(
    make_run: MakeRun, rows_folder: Path, tmp_path: Path, packing: bool | str
) -> None:
    write_rows(tmp_path / "text_to_sql.train.jsonl", "text_to_sql", range(12))
    lora = LoRA(rank=4, alpha=8, dropout=0)
    run = make_run(data=(str(rows_folder), str(tmp_path)), packing=packing, lora=lora)
    record = yaml.safe_load((fine_tune(run) / "run.yaml").read_text())
    rows = {task: (counts["rows"], counts["eval_rows"]) for task, counts in record["data"].items()}
    assert rows == {"text_to_sql": (60, 8), "schema_linking": (16, 4)}
    assert record["settings"]["data"] == [str(rows_folder), str(tmp_path)]
    assert fine_tune(run) == tmp_path / "run", "the same run is not begun again"


@pytest.mark.parametrize("packing", [True, False])
def test_the_loss_is_that_of_the_replies_alone(make_run: MakeRun, tiny_model: Path, packing: bool) -> None:
    # One pack, or one batch, holds all held-out rows, so that its mean is the mean over their tokens.
    run = make_run(max_steps=1, packing=packing, max_length=4096, batch=8, trainer={"eval_on_start": True})
    out = fine_tune(run)
    logged = read_losses(out / "losses.csv")[0]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    assert logged["step"] == 0
    for task in run.tasks:
        expected = own_loss(model, run.folders[0] / f"{task}.eval.jsonl", tokenizer)
        assert logged[f"eval_{task}_loss"] == pytest.approx(expected, abs=1e-4)


def test_frozen_weights_in_16_bits_and_activations_computed_again(make_run: MakeRun) -> None:
    lines = read_losses(fine_tune(make_run(dtype="bf16", gradient_checkpointing=True)) / "losses.csv")
    assert lines[-1]["eval_text_to_sql_loss"] < lines[2]["eval_text_to_sql_loss"]  # type: ignore[operator]


KILLED_AT = 5
KILLED = f"""
import os, sys
from pathlib import Path
from route_sql.training.tuning.sft import fine_tune
from route_sql.training.tuning.config import load_run

def progress(done, total, said):
    if done == {KILLED_AT}:
        os.kill(os.getpid(), 9)

fine_tune(load_run(Path(sys.argv[1])), progress=progress)
"""


def test_a_run_that_was_killed_ends_with_the_same_losses(make_run: MakeRun, tmp_path: Path) -> None:
    whole = make_run(out=str(tmp_path / "whole"))
    killed = replace(whole, out=str(tmp_path / "killed"))
    file = tmp_path / "killed.yaml"
    file.write_text(yaml.safe_dump(asdict(killed), sort_keys=False))
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file)], env=os.environ, capture_output=True, timeout=250)
    assert ended.returncode == -9, ended.stderr.decode()
    assert [line["step"] for line in read_losses(tmp_path / "killed" / "losses.csv")] == [1, 2, 3, 4]
    assert not (tmp_path / "killed" / "final").exists()
    # A checkpoint that was being written when the process died.
    (tmp_path / "killed" / "checkpoint-5").mkdir()
    steps: list[int] = []
    fine_tune(killed, progress=lambda done, total, said: steps.append(done))
    assert steps[0] == 4
    fine_tune(whole)
    assert (tmp_path / "killed" / "losses.csv").read_text() == (tmp_path / "whole" / "losses.csv").read_text()
    weights = [(tmp_path / name / "final" / "adapter_model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_a_finished_run_is_returned_and_another_is_refused(make_run: MakeRun) -> None:
    run = make_run(max_steps=2)
    out = fine_tune(run)
    weights = out / "final" / "adapter_model.safetensors"
    then = weights.stat().st_mtime_ns
    assert fine_tune(run) == out
    assert weights.stat().st_mtime_ns == then
    with pytest.raises(TrainingError, match=r"lr was 0.005, is 0.1.*--no-resume"):
        fine_tune(replace(run, lr=0.1))
    fine_tune(replace(run, lr=0.1), resume=False)
    assert weights.stat().st_mtime_ns > then


def test_rows_that_changed_are_another_run(make_run: MakeRun, tmp_path: Path) -> None:
    write_rows(tmp_path / "text_to_sql.train.jsonl", "text_to_sql", range(8))
    run = make_run(data=str(tmp_path), tasks={"text_to_sql": 1.0}, max_steps=2)
    fine_tune(run)
    write_rows(tmp_path / "text_to_sql.train.jsonl", "text_to_sql", range(1, 9))
    with pytest.raises(TrainingError, match="files was"):
        fine_tune(run)


def test_a_gguf_base_is_the_same_base(make_run: MakeRun, tiny_gguf: Path, tiny_model: Path, tmp_path: Path) -> None:
    # The tokenizer is given, as the one of the GGUF file would be kept in the user's cache.
    dense = fine_tune(make_run(max_steps=3, out=str(tmp_path / "dense")))
    run = make_run(max_steps=3, out=str(tmp_path / "gguf"), base=str(tiny_gguf), tokenizer=str(tiny_model))
    assert (fine_tune(run) / "losses.csv").read_text() == (dense / "losses.csv").read_text()


def test_all_weights_of_a_gguf_base_are_tuned_and_saved(make_run: MakeRun, tiny_gguf: Path, tiny_model: Path) -> None:
    run = make_run(max_steps=4, lora=None, lr=1e-3, base=str(tiny_gguf), tokenizer=str(tiny_model))
    out = fine_tune(run)
    tuned = AutoModelForCausalLM.from_pretrained(out / "final")
    tokenizer = AutoTokenizer.from_pretrained(out / "final")
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    file = run.folders[0] / "text_to_sql.eval.jsonl"
    assert own_loss(tuned, file, tokenizer) < own_loss(base, file, tokenizer)
    assert not torch.equal(tuned.model.layers[0].mlp.up_proj.weight, base.model.layers[0].mlp.up_proj.weight)


def test_a_stage_goes_on_from_the_adapter_of_the_one_before(make_run: MakeRun, tmp_path: Path) -> None:
    same = {"max_length": 4096, "batch": 1}
    first = fine_tune(make_run(out=str(tmp_path / "first"), **same))
    adapter = str(first / "final")
    start = {"eval_on_start": True}
    run = make_run(out=str(tmp_path / "second"), adapter=adapter, max_steps=2, trainer=start, **same)
    then, now = read_losses(first / "losses.csv")[-1], read_losses(fine_tune(run) / "losses.csv")[0]
    for task in run.tasks:
        assert now[f"eval_{task}_loss"] == pytest.approx(then[f"eval_{task}_loss"], abs=1e-5)
    with pytest.raises(TrainingError, match="r is 4, not 8"):
        fine_tune(replace(run, lora=LoRA(rank=8, alpha=8), out=str(tmp_path / "third")))
    with pytest.raises(TrainingError, match="no adapter"):
        fine_tune(replace(run, adapter=str(tmp_path), out=str(tmp_path / "fourth")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "nowhere"}, "no base model nowhere"),
        ({"data": "nowhere"}, "no rows in nowhere"),
        ({"tasks": {"text_to_sql": 1.0, "poetry": 1.0}}, "drop poetry"),
        ({"max_length": 64}, "--max-tokens 64"),
        ({"trainer": {"learning_rate": 1}}, "learning_rate is decided by the run's own settings"),
        ({"trainer": {"lr": 1}}, "lr is not an argument"),
    ],
)
def test_what_does_not_fit_is_said(make_run: MakeRun, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        fine_tune(make_run(**changes))
