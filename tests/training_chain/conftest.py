"""Tests that need the extra `training`: run by `make training-tests`, passed over where torch is missing."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HAVE_LIBRARIES = all(find_spec(name) for name in ("torch", "trl", "peft", "datasets"))
NEED_NO_LIBRARIES = {"test_training_configs.py"}

# Before anything imports the libraries: they are not to ask a hub, and two cores are shared by whatever runs beside.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    needs = collection_path.name.startswith("test_") and collection_path.name not in NEED_NO_LIBRARIES
    return True if needs and not HAVE_LIBRARIES else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # PEFT and TRL use names that transformers is giving up.
    ignored = pytest.mark.filterwarnings("ignore:.*(gradient|activation)_checkpointing:FutureWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(ignored)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model; read it only."""
    from tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path) -> Path:
    """The same weights as a GGUF file; read it only."""
    from tiny_model import write_gguf

    return write_gguf(tiny_model, tiny_model.parent / "tiny.gguf")


@pytest.fixture(scope="session")
def rows_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two tasks, as the data command lays them out; read it only."""
    from made_rows import write_rows

    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "text_to_sql.train.jsonl", "text_to_sql", range(48))
    write_rows(folder / "text_to_sql.eval.jsonl", "text_to_sql", range(48, 56))
    write_rows(folder / "schema_linking.train.jsonl", "schema_linking", range(16))
    write_rows(folder / "schema_linking.eval.jsonl", "schema_linking", range(16, 20))
    return folder


@pytest.fixture
def make_run(tiny_model: Path, rows_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """A short run with a new adapter, with whatever is named otherwise."""
    from route_sql.training.sft_config import LoRA, SFTRun

    def make(**changes: Any) -> SFTRun:
        settings = {
            "base": str(tiny_model),
            "data": str(rows_folder),
            "tasks": {"text_to_sql": 2.0, "schema_linking": 1.0},
            "out": str(tmp_path / "run"),
            "lora": LoRA(rank=4, alpha=8),
            "lr": 5e-3,
            "max_steps": 6,
            "max_length": 512,
            "dtype": "fp32",
            "log_steps": 1,
            "save_steps": 2,
            "eval_steps": 3,
        }
        return SFTRun(**{**settings, **changes})

    return make
