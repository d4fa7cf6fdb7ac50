"""The YAML of a run: ours all load, and what is wrong in a user's is said."""

from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from route_sql.cli import main
from route_sql.training.errors import TrainingError
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.task import TaskName
from route_sql.training.tuning.config import CONFIGS, SFTRun, load_run

PAPER = ["route-qwen2.5-7b", "route-qwen2.5-14b", "route-llama3-8b"]


def test_every_config_of_ours_loads_by_path_and_by_name() -> None:
    files = sorted(file for file in CONFIGS.glob("*.yaml") if not file.stem.startswith(("one-stage", "two-stages")))
    assert {file.stem for file in files} >= {"qwen-0.5b-lora", "qwen-1.5b-lora", "tiny-smoke", *PAPER}
    for file in files:
        run = load_run(file)
        assert run == load_run(Path(file.stem))
        assert set(run.tasks) == set(get_args(TaskName))


@pytest.mark.parametrize("name", PAPER)
def test_the_published_recipe(name: str) -> None:
    run = load_run(Path(name))
    assert run.lora is None
    assert (run.lr, run.scheduler, run.warmup_ratio, run.weight_decay) == (1e-5, "cosine", 0.05, 0.1)
    assert (run.epochs, run.max_length, run.packing) == (2, 4096, False)
    devices = 8
    assert run.batch * run.accumulation * devices in (256, 512)
    assert f"--num_processes {devices}" in (CONFIGS / f"{name}.yaml").read_text()


def test_files_are_named_as_the_data_command_names_them(tmp_path: Path) -> None:
    pytest.importorskip("trl")  # a folder of tests is called datasets
    from route_sql.training.tuning.task_mix import data_files

    names = {file_name(task, split) for task in get_args(TaskName) for split in ("train", "eval")}
    for name in names:
        (tmp_path / name).write_text("{}\n")
    run = SFTRun("base", str(tmp_path), dict.fromkeys(get_args(TaskName), 1.0), "out", epochs=1)
    assert data_files(run).keys() == names


def written(folder: Path, text: str) -> Path:
    file = folder / "run.yaml"
    file.write_text(text)
    return file


GOOD = "{base: b, data: d, out: o, tasks: {text_to_sql: 1}, epochs: 1}"


def test_a_value_of_the_command_line_stands_above_the_files(tmp_path: Path) -> None:
    run = load_run(written(tmp_path, GOOD), {"base": "other", "data": "rows"})
    assert (run.base, run.data, run.out) == ("other", "rows", "o")


def test_the_rows_may_lie_in_several_folders(tmp_path: Path) -> None:
    run = load_run(written(tmp_path, GOOD.replace("data: d", "data: [d, more]")))
    assert run.folders == (Path("d"), Path("more"))


def test_a_number_that_yaml_takes_for_text(tmp_path: Path) -> None:
    assert load_run(written(tmp_path, GOOD.replace("epochs: 1", "epochs: 1, lr: 1e-5"))).lr == 1e-5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("epochs: 1", "epochs: 1, learning_rate: 1"), "learning_rate is not a setting"),
        (("base: b, ", ""), "base is missing"),
        (("epochs: 1", "epochs: often"), "epochs is wrong"),
        (("epochs: 1", "epochs: 1, lora: {rank: 0}"), "lora.rank is wrong"),
        (("epochs: 1", "epochs: 1, lora: {r: 8}"), "lora.r is not a setting"),
        (("epochs: 1", "epochs: 1, dtype: fp8"), "dtype is wrong"),
        (("{text_to_sql: 1}", "{text_to_sql: 0}"), "tasks.text_to_sql is wrong"),
        (("{text_to_sql: 1}", "{}"), "tasks is wrong"),
        (("epochs: 1", "epochs: 1, max_steps: 3"), "either epochs or max_steps"),
        (("epochs: 1", "seed: 1"), "either epochs or max_steps"),
        (("epochs: 1", "epochs: 1, log_steps: 10, save_steps: 15"), "a multiple of log_steps"),
        (("epochs: 1", "epochs: 1, lora: null, adapter: a"), "drop adapter or set lora"),
        ((GOOD, "base"), "keys and values"),
        ((GOOD, "{base: ["), "not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(TrainingError) as raised:
        load_run(written(tmp_path, GOOD.replace(*change)))
    assert said in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="tiny-smoke"):
        load_run(tmp_path / "tiny-smoke")
    with pytest.raises(TrainingError, match="no config other"):
        load_run(Path("other"))


@pytest.mark.skipif(find_spec("trl") is not None, reason="the extra is installed")
def test_the_command_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "sft", "--config", "tiny-smoke"])
    assert left.value.code == 2
    assert "pip install 'route-sql[training]'" in capsys.readouterr().err
