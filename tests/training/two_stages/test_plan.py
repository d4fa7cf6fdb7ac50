"""The YAML of a run in two stages: ours loads, and a wrong one is refused with the key that is wrong."""

from pathlib import Path

import pytest

from route_sql.cli import main
from route_sql.training.errors import TrainingError
from route_sql.training.tuning.config import CONFIGS
from route_sql.training.two_stages.plan import Plan, load_plan

SFT = "{base: b, data: [d, more], out: o, tasks: {text_to_sql: 1}, epochs: 1}"
GOOD = f"{{questions: q.json, databases: db, sft: {SFT}}}"


def written(folder: Path, text: str) -> Path:
    file = folder / "plan.yaml"
    file.write_text(text)
    return file


def test_our_plan_loads_by_path_and_by_name() -> None:
    plan = load_plan(CONFIGS / "two-stages-0.5b.yaml")
    assert plan == load_plan(Path("two-stages-0.5b"))
    assert (plan.seconds, plan.out, plan.sft.lora is None) == (1080, Path("runs/two-stages-0.5b"), False)


def test_the_plan_of_the_larger_model_has_one_stage() -> None:
    plan = load_plan(Path("one-stage-1.5b"))
    assert (plan.stages, plan.seconds, plan.out) == (1, 480, Path("runs/one-stage-1.5b"))


def test_our_plan_says_every_key_that_a_plan_may_have() -> None:
    text = (CONFIGS / "two-stages-0.5b.yaml").read_text()
    keys = set(Plan.__dataclass_fields__) - {"max_new_tokens"}
    assert keys and not [key for key in keys if f"{key}:" not in text]


def test_defaults_and_folders(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, GOOD))
    assert (plan.prepared, plan.further, plan.out) == (Path("d"), (Path("more"),), Path("o"))
    assert (plan.layout, plan.drawn, plan.prompts, plan.processes) == ("spider", 1, None, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("questions: q.json, ", ""), "questions is missing"),
        (("databases: db", "databases: db, second: 3"), "second is not a setting"),
        (("databases: db", "databases: db, seconds: soon"), "seconds is wrong"),
        (("databases: db", "databases: db, drawn: -1"), "drawn is wrong"),
        (("databases: db", "databases: db, layout: csv"), "layout is wrong"),
        (("databases: db", "databases: db, stages: 3"), "stages is wrong"),
        (("base: b, ", ""), "sft.base is missing"),
        (("epochs: 1", "epochs: 1, lr: none"), "sft.lr is wrong"),
        (("epochs: 1", "epochs: 1, epoch: 1"), "sft.epoch is not a setting"),
        (("epochs: 1", "epochs: 1, max_steps: 1"), "either epochs or max_steps"),
        (("epochs: 1", "max_steps: 9"), "sft.max_steps is not for a plan"),
        ((f"sft: {SFT}", "sft: tiny-smoke"), "sft is wrong"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_plan_is_refused_with_its_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(TrainingError) as caught:
        load_plan(file)
    assert str(caught.value).startswith(str(file)) and said in str(caught.value)


@pytest.mark.parametrize("text", ["[a", "just words", ""])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TrainingError, match="is not YAML|keys and values"):
        load_plan(written(tmp_path, text))


def test_settings_leave_out_bounds_in_time(tmp_path: Path) -> None:
    one = load_plan(written(tmp_path, GOOD)).settings()
    longer = GOOD.replace("databases: db", "databases: db, seconds: 9, last_seconds: 1, processes: 2")
    assert one == load_plan(written(tmp_path, longer)).settings()
    assert one != load_plan(written(tmp_path, GOOD.replace("databases: db", "databases: db, prompts: 3"))).settings()


def test_the_command_needs_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "two-stages"])
    assert left.value.code == 2 and "--plan" in capsys.readouterr().err
