"""Three architectures on the whole way: rows, tuning, adapter, merged model, embedded server, transformers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import convert_to_messages
from support.tiny_families import NO_SYSTEM, THINKS, WRITES_BEGIN, Family, TinyModel, make_family
from transformers import AutoModelForCausalLM, AutoTokenizer

from route_sql.cli import main
from route_sql.models import open_model
from route_sql.settings import Settings
from route_sql.training.datasets.examples import Example
from route_sql.training.tasks.chat_text import chat_text
from route_sql.training.tuning.batched_replies import Decoding, Sampler
from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.sft import fine_tune

FAMILIES = (
    Family("llama", WRITES_BEGIN, begins=True),
    Family("llama", WRITES_BEGIN, begins=True, pieces=True),
    Family("qwen2", NO_SYSTEM, begins=True),
    Family("qwen3", THINKS),
)
TASKS = ("text_to_sql", "schema_linking", "noise_correction", "continuation_writing")
LONGEST = 1024
TREES = ("qwen3", "llama-pieces")
"""Families that are tuned on prompt trees; the others on packed rows."""


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTE_SQL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def command(*arguments: object) -> int:
    try:
        main([*map(str, arguments)])
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("the command line did not exit")


def rows_of(model: TinyModel, examples: list[Example], databases: Path, folder: Path) -> Path:
    """Rows of all tasks from a log of questions, counted by the model's own tokenizer."""
    log = folder / "log.jsonl"
    pairs = [{"question": each.question, "sql": each.sql, "database": "shop"} for each in examples]
    log.write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    given = ("--layout", "log", "--questions", log, "--databases", databases, "--held-out", "0.3")
    limits = ("--tokenizer", model.folder, "--max-tokens", LONGEST, "--out", folder / "rows")
    assert command("train", "data", *given, *limits) == 0
    return folder / "rows"


def tuned(model: TinyModel, rows: Path, out: Path, trees: bool) -> Path:
    """The adapter of a short run on every task that has rows."""
    tasks = {task: 1.0 for task in TASKS if (rows / f"{task}.train.jsonl").is_file()}
    settings: dict[str, Any] = {
        "base": str(model.folder),
        "data": str(rows),
        "tasks": tasks,
        "out": str(out),
        "lora": LoRA(rank=32, alpha=64, dropout=0),
        "lr": 2e-2,
        "max_steps": 2,
        "max_length": LONGEST,
        "dtype": "fp32",
        "packing": "trees" if trees else True,
        "log_steps": 1,
        "save_steps": 2,
        "eval_steps": 2,
        "eval_rows": 2,
    }
    return fine_tune(SFTRun(**settings)) / "final"


def prompt_tokens(folder: Path, prompt: list[dict[str, str]]) -> int:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return len(tokenizer(chat_text(tokenizer, prompt, unanswered=True), add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_family_goes_the_whole_way(
    family: Family, examples: list[Example], databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_family(tmp_path, family)
    rows = await asyncio.to_thread(rows_of, model, examples, databases, tmp_path)
    adapter = await asyncio.to_thread(tuned, model, rows, tmp_path / "run", family.name in TREES)
    held_out, out = rows / "text_to_sql.eval.jsonl", tmp_path / "ours"
    what = ("--adapter", adapter, "--base", model.file, "--out", out, "--merged", "--check", held_out)
    capsys.readouterr()
    assert await asyncio.to_thread(command, "train", "export", *what, "--check-rows", 3) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "adapter against adapter" in said and "read alike by transformers 4 and 5, answers" in said
    assert AutoModelForCausalLM.from_pretrained(out / "merged").config.model_type == family.architecture
    prompt = json.loads(held_out.read_text().splitlines()[0])["prompt"]
    sampler = Sampler(model.folder, adapter, dtype=torch.float32)
    (by_transformers,) = sampler.replies([prompt], Decoding(max_new_tokens=6))
    async with open_model(str(out), Settings(), lambda done, total, source: None) as chat:
        served = await chat.ainvoke(convert_to_messages(prompt), max_tokens=6)
    assert served.usage_metadata is not None
    assert served.usage_metadata["input_tokens"] == prompt_tokens(out / "merged", prompt)
    text = by_transformers.text.strip()
    assert text.startswith(served.text.strip())
    rest = text.removeprefix(served.text.strip())
    assert not rest.strip(" \n\ufffd"), "only a character that is cut in two is not served"
