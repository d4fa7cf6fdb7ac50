"""`route-sql train export`, from an adapter to a model folder that answers; on a tiny random model."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from support.calibration_files import write_calibration
from support.tiny_lora import save_lora
from transformers import AutoModelForCausalLM

from route_sql.cli import main
from route_sql.graph.confidence import calibration_of
from route_sql.models import open_model
from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.store.model_folder import is_model_folder
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTE_SQL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def run_folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A folder as fine-tuning leaves it, the adapter in `final`."""
    folder = tmp_path / "run"
    save_lora(tiny_model, folder / "final", seed=3, r=4, lora_alpha=8)
    (folder / "run.yaml").write_text("settings:\n  lr: 0.0002\n  data: /somewhere/rows\nversions:\n  trl: '1.16.0'\n")
    (folder / "losses.csv").write_text("step,loss,eval_text_to_sql_loss\n10,2.5,\n20,1.25,1.5\n30,1.75,\n")
    return folder


@pytest.fixture
def base(tiny_gguf: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_gguf, tmp_path / "tiny.gguf"))


def export(*arguments: object) -> int:
    try:
        main(["train", "export", *map(str, arguments)])
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("the command line did not exit")


async def test_an_adapter_becomes_a_model_that_answers(
    run_folder: Path, base: Path, rows_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ours"
    rows = rows_folder / "text_to_sql.eval.jsonl"
    command = ("--adapter", run_folder / "final", "--base", base, "--out", out, "--check", rows, "--check-rows", 3)
    # In a thread, since the command runs an event loop of its own.
    assert await asyncio.to_thread(export, *command, "--merged", "--card-title", "Our model") == 0
    said = capsys.readouterr().out
    assert "adapter against adapter" in said and "read alike by transformers 4 and 5, answers" in said
    assert "--served-model-name route-sql" in (out / "merged" / "README.md").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "adapter.gguf", "merged", "profile.json"]
    assert str(tmp_path) not in (out / "profile.json").read_text() + (out / "MODEL_CARD.md").read_text()
    moved = out.rename(tmp_path / "moved")  # next to the base, which is found by its bytes
    async with open_model(str(moved), Settings(), lambda done, total, source: None) as chat:
        assert chat.wording == "tuned"
        assert (await chat.ainvoke("How many singers?", max_tokens=4)).usage_metadata
    assert AutoModelForCausalLM.from_pretrained(moved / "merged").config.model_type == "qwen2"


@pytest.mark.parametrize("name", ["layout", "format"])  # earlier versions wrote format
def test_the_card_says_what_is_known(run_folder: Path, base: Path, tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    files = {"text_to_sql.train.jsonl": {"split": "train", "rows": 40}, "x": {"split": "eval", "rows": 5}}
    card = {"settings": {name: "spider"}, "licence": "CC BY-SA 4.0", "examples": 45, "files": files}
    (data / "data_card.json").write_text(json.dumps(card))
    (tmp_path / "figures.json").write_text(json.dumps({"tuned": {"EX": 0.7}, "base": {"EX": 0.42, "cost": None}}))
    out = tmp_path / "ours"
    more = ("--data", data, "--figures", tmp_path / "figures.json", "--card-title", "Our model")
    assert export("--adapter", run_folder / "final", "--base", base, "--out", out, *more) == 0
    text = (out / "MODEL_CARD.md").read_text()
    for said in (
        "# Our model\n",
        "on top of tiny.gguf",
        "| Spider (Yu et al., EMNLP 2018) | CC BY-SA 4.0 | 45 | 40 | 5 |",
        "CC BY-SA 4.0 asks whoever passes on",
        "rank 4, alpha 8, on 14 linear layers",
        "- settings.lr: 0.0002",
        "- settings.data: rows",
        "| loss | 2.5000 (10) | 1.2500 (20) | 1.7500 (30) |",
        "| eval_text_to_sql_loss | 1.5000 (20) | 1.5000 (20) | 1.5000 (20) |",
        "| tuned | 0.7 |  |",
        "Not checked",
    ):
        assert said in text, said


def test_the_card_finds_all_folders_that_the_run_learned_from(run_folder: Path, base: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("shop", "further")]
    for folder, licence in zip(folders, ("our own", "CC BY-SA 4.0"), strict=True):
        folder.mkdir()
        card = {"settings": {"layout": "log"}, "licence": licence, "examples": 3, "files": {}}
        (folder / "data_card.json").write_text(json.dumps(card))
    settings = {"settings": {"data": [*map(str, folders), str(tmp_path / "removed")]}}
    (run_folder / "run.yaml").write_text(json.dumps(settings))
    assert export("--adapter", run_folder / "final", "--base", base, "--out", tmp_path / "ours") == 0
    text = (tmp_path / "ours" / "MODEL_CARD.md").read_text()
    for said in ("| our own | 3 |", "| CC BY-SA 4.0 | 3 |", "CC BY-SA 4.0 asks", "data: shop, further, removed\n"):
        assert said in text, said
    assert str(tmp_path) not in text


def test_what_is_not_known_is_said_too(run_folder: Path, base: Path, tmp_path: Path) -> None:
    alone = run_folder.parent / "elsewhere" / "adapter"
    shutil.copytree(run_folder / "final", alone)
    assert export("--adapter", alone, "--base", base, "--out", tmp_path / "ours") == 0
    text = (tmp_path / "ours" / "MODEL_CARD.md").read_text()
    for said in ("no data card", "settings of the run were not kept", "losses were not kept", "None were measured"):
        assert said in text, said


def test_a_failed_check_leaves_no_model(
    run_folder: Path, base: Path, rows_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rows = tmp_path / "ours", rows_folder / "text_to_sql.eval.jsonl"
    command = ("--adapter", run_folder / "final", "--base", base, "--out", out)
    assert export(*command) == 0
    assert ModelStore().profile(out).wording == "tuned"
    weights = run_folder / "final" / "adapter_model.safetensors"
    save_file({name: tensor * 0 for name, tensor in load_file(weights).items()}, weights)
    assert export(*command, "--check", rows, "--check-rows", 2) == 2
    assert "too little to tell" in capsys.readouterr().err
    with pytest.raises(ModelUnavailable, match="not a model folder"):
        ModelStore().resolve(out)


def test_a_folder_as_base_is_only_merged(
    run_folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("--adapter", run_folder / "final", "--base", tiny_model, "--out", tmp_path / "ours")
    assert export(*command) == 2
    assert "name its GGUF file" in capsys.readouterr().err
    assert export(*command, "--merged") == 0
    assert sorted(path.name for path in (tmp_path / "ours").iterdir()) == ["MODEL_CARD.md", "merged"]


async def test_a_given_calibration_is_that_of_the_model(
    run_folder: Path, base: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter, out = ("--adapter", run_folder / "final"), tmp_path / "ours"
    calibration = ("--calibration", write_calibration(tmp_path, enough=0.9))
    command = (*adapter, "--base", base, "--out", out)
    # In a thread, since the command runs an event loop of its own.
    assert await asyncio.to_thread(export, *command, *calibration) == 0
    async with open_model(str(out), Settings(), lambda done, total, source: None) as chat:
        found = calibration_of(chat)
        assert found is not None and (found.enough, found.alone.intercept) == (0.9, 3.0)
    assert await asyncio.to_thread(export, *command, "--calibration", tmp_path / "nothing.json") == 2
    assert "nothing.json can't be read" in capsys.readouterr().err and is_model_folder(out), "nothing was removed"
    other = (*adapter, "--base", tiny_model, "--merged", "--out", tmp_path / "merged")
    assert await asyncio.to_thread(export, *other, *calibration) == 2
    assert "merged weights carry no calibration" in capsys.readouterr().err


def test_a_tuned_model_is_no_base(
    run_folder: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export("--adapter", run_folder / "final", "--base", base, "--out", tmp_path / "ours") == 0
    again = ("--adapter", run_folder / "final", "--base", tmp_path / "ours", "--out", tmp_path / "twice")
    assert export(*again) == 2
    assert "is a tuned model" in capsys.readouterr().err


def test_what_is_not_ours_is_not_removed(
    run_folder: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ours" / "merged").mkdir(parents=True)
    assert export("--adapter", run_folder / "final", "--base", base, "--out", tmp_path / "ours") == 2
    assert "not of an earlier export" in capsys.readouterr().err
    assert (tmp_path / "ours" / "merged").is_dir()
