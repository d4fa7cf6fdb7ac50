"""`route-sql train average`: the weights between an adapter and a later one of the same form."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
from support.tiny_lora import save_lora

from route_sql.cli import main
from route_sql.training.errors import TrainingError
from route_sql.training.export.averaging import RECORD, average_adapters
from route_sql.training.export.lora import read_lora
from route_sql.training.tuning.adapter_files import WEIGHTS


@pytest.fixture
def adapters(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    return save_lora(tiny_model, tmp_path / "before", seed=1), save_lora(tiny_model, tmp_path / "after", seed=2)


def digest(adapter: Path) -> str:
    return sha256((adapter / WEIGHTS).read_bytes()).hexdigest()


@pytest.mark.parametrize(("share", "same"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_adapters_themselves(
    adapters: tuple[Path, Path], tmp_path: Path, share: float, same: int
) -> None:
    average_adapters(*adapters, share, tmp_path / "mean")
    written, given = load_file(tmp_path / "mean" / WEIGHTS), load_file(adapters[same] / WEIGHTS)
    assert written.keys() == given.keys()
    assert all(np.allclose(written[name], given[name]) for name in given)


def test_the_command_writes_each_matrix_between_the_two(adapters: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = adapters
    out = tmp_path / "mean"
    with pytest.raises(SystemExit) as ended:
        main(["train", "average", "--before", str(before), "--after", str(after), "--share", "0.75", "--out", str(out)])
    assert not ended.value.code
    first, second, mean = read_lora(before), read_lora(after), read_lora(out)
    assert (mean.rank, mean.alpha) == (first.rank, first.alpha)
    record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    assert record == {"share": 0.75, "before": digest(before), "after": digest(after)}
    for name, pair in mean.modules.items():
        assert np.allclose(pair.a, 0.25 * first.modules[name].a + 0.75 * second.modules[name].a)
        assert np.allclose(pair.b, 0.25 * first.modules[name].b + 0.75 * second.modules[name].b)


@pytest.mark.parametrize("settings", [{"r": 4}, {"lora_alpha": 8}, {"target_modules": ["q_proj"]}], ids=str)
def test_adapters_of_another_form_are_refused(tiny_model: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    before, after = save_lora(tiny_model, tmp_path / "before"), save_lora(tiny_model, tmp_path / "after", **settings)
    with pytest.raises(TrainingError, match="one that resumed it"):
        average_adapters(before, after, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_a_folder_that_exists_is_not_overwritten(adapters: tuple[Path, Path]) -> None:
    before, after = adapters
    kept = (after / WEIGHTS).read_bytes()
    with pytest.raises(TrainingError, match="is there already"):
        average_adapters(before, after, 0.5, after)
    assert (after / WEIGHTS).read_bytes() == kept
