import asyncio
import time
from pathlib import Path
from typing import Literal

import pytest

from route_sql.training.errors import TrainingError
from route_sql.training.resumable import OneWriter, check_same_settings, different_settings, to_the_end


@pytest.mark.parametrize(("kind", "lock"), [("file", "run.lock"), ("folder", "run/.lock")])
def test_one_process_writes_at_a_time(tmp_path: Path, kind: Literal["file", "folder"], lock: str):
    run = tmp_path / "run"
    with OneWriter(run, kind, TrainingError):
        assert (tmp_path / lock).is_file()
        with pytest.raises(
            TrainingError, match=f"another process is writing {run}; wait for it or name another {kind}"
        ):
            OneWriter(run, kind, TrainingError).acquire()
    with OneWriter(run, kind, TrainingError):
        pass


def test_a_folder_that_can_not_be_made_is_an_error_of_the_run(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="can't be written"):
        OneWriter(tmp_path / "file" / "run", "folder", TrainingError).acquire()


def test_the_settings_that_differ_are_named(tmp_path: Path):
    then, now = {"seed": 0, "tasks": ["a"], "limit": None}, {"seed": 1, "tasks": ("a",), "out": Path("x")}
    differences = different_settings(then, now)
    assert differences == ['out was null, is "x"', "seed was 0, is 1"]
    with pytest.raises(TrainingError, match="seed was 0, is 1. Take the same settings, or name another folder"):
        check_same_settings(tmp_path, differences, "name another folder", TrainingError)
    check_same_settings(tmp_path, different_settings(now, now), "name another folder", TrainingError)


async def test_a_cancelled_caller_waits_for_the_step(tmp_path: Path):
    def step() -> None:
        time.sleep(0.2)
        (tmp_path / "written").touch()

    caller = asyncio.create_task(to_the_end(step))
    await asyncio.sleep(0.05)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (tmp_path / "written").is_file()
