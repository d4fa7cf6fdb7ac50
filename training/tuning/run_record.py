"""The record of a run next to its result: its settings, and checkpoints from which a killed run is resumed.

A run is resumed only with the settings and data that it was begun with; else its losses would belong to neither.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from route_sql.tools.files import write_whole
from route_sql.training.errors import TrainingError
from route_sql.training.resumable import check_same_settings, different_settings
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.libraries import library_versions
from route_sql.training.tuning.loss_log import TABLE

RECORD = "run.yaml"
FINAL = "final"
PLOT = "losses.png"
_STATE = "trainer_state.json"


def run_settings(run: SFTRun, digests: Mapping[str, str], processes: int) -> dict[str, Any]:
    """All settings that decide the result of a run, without the machine and the versions of libraries."""
    settings = {key: value for key, value in asdict(run).items() if key != "out"}
    if run.lora and not isinstance(run.lora.targets, str):
        settings["lora"]["targets"] = list(run.lora.targets)
    if not isinstance(run.data, str):
        settings["data"] = list(run.data)
    return {**settings, "processes": processes, "files": dict(digests)}


def check_same_run(out: Path, settings: Mapping[str, Any]) -> None:
    """Check that a folder is free or holds the same run.

    Raises:
        TrainingError: another run was begun there, or its record is damaged.
    """
    file = out / RECORD
    if not file.is_file():
        return
    try:
        then = yaml.safe_load(file.read_text(encoding="utf-8"))["settings"]
        changed = different_settings(then, settings)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is damaged; name another folder, or start again with --no-resume") from error
    check_same_settings(out, changed, "name another folder, or start again with --no-resume", TrainingError)


def clear_run(out: Path) -> None:
    """Remove an earlier run, so that the next one starts from the beginning; the encoded rows stay."""
    for folder in [*out.glob("checkpoint-*"), out / FINAL]:
        shutil.rmtree(folder, ignore_errors=True)
    for name in (RECORD, TABLE, PLOT):
        (out / name).unlink(missing_ok=True)


def last_checkpoint(out: Path) -> Path | None:
    """The last checkpoint that was written whole, or None."""
    # The trainer's state is written last.
    whole = [folder for folder in out.glob("checkpoint-*") if (folder / _STATE).is_file()]
    return max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def write_record(out: Path, settings: Mapping[str, Any], **facts: Any) -> None:
    """Write the record: settings, versions and further facts."""
    record = {"settings": dict(settings), "versions": library_versions(), **facts}
    write_whole(out / RECORD, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
