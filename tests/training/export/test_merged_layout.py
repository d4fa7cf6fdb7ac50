"""The merged folder as servers read it: transformers 4 and 5 must take the same model from it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.tiny_lora import save_lora
from transformers import AutoConfig, AutoTokenizer

from route_sql.training.errors import TrainingError
from route_sql.training.export.merged_check import check_merged
from route_sql.training.export.merged_layout import new_reading, old_reading, require_one_reading
from route_sql.training.export.merged_model import write_merged

THETA = 1_000_000.0


@pytest.fixture(autouse=True)
def a_cache_of_their_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> Path:
    """A base whose rotary positions have another base than the old default."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    change(folder / "config.json", rope_parameters={"rope_theta": THETA, "rope_type": "default"})
    return folder


@pytest.fixture
def merged(base: Path, tmp_path: Path) -> Path:
    save_lora(base, tmp_path / "adapter", seed=3, r=4, lora_alpha=8)
    write_merged(tmp_path / "adapter", base, tmp_path / "merged")
    return tmp_path / "merged"


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_old_and_new_versions_read_the_same_model(merged: Path) -> None:
    assert old_reading(merged) == new_reading(merged) == require_one_reading(merged)
    assert (old_reading(merged).rope_theta, old_reading(merged).dtype) == (THETA, "bfloat16")
    config = json.loads((merged / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == THETA
    assert config["torch_dtype"] == config["dtype"] == "bfloat16"
    assert AutoConfig.from_pretrained(merged).rope_parameters["rope_theta"] == THETA


def test_the_chat_template_stands_where_both_look(merged: Path) -> None:
    written = json.loads((merged / "tokenizer_config.json").read_text())
    assert written["chat_template"] == (merged / "chat_template.jinja").read_text()
    assert AutoTokenizer.from_pretrained(merged).chat_template == written["chat_template"]
    assert not {"is_local", "local_files_only"} & written.keys()


def test_every_file_can_be_read_by_a_server(merged: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in merged.iterdir()} == {"0o644"}
    (merged / "model.safetensors").chmod(0o600)
    with pytest.raises(TrainingError, match="model.safetensors"):
        require_one_reading(merged)


@pytest.mark.parametrize("lost", ["rope_theta", "torch_dtype"])
def test_a_folder_that_versions_read_differently_is_refused(merged: Path, lost: str) -> None:
    config = json.loads((merged / "config.json").read_text())
    del config[lost]
    (merged / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match="differently"):
        require_one_reading(merged)


def test_the_fixed_question_tells_a_wrong_merge(merged: Path, base: Path, tmp_path: Path) -> None:
    found = check_merged(merged, tmp_path / "adapter", base)
    assert found.difference < 0.1 < found.control
    save_lora(base, tmp_path / "other", seed=9, r=4, lora_alpha=8)
    with pytest.raises(TrainingError, match="does not compute"):
        check_merged(merged, tmp_path / "other", base)
