"""A model that is started by its first call says beforehand what a running one says: its profile, and no server."""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from route_sql.agents.call import can_sample, wording_of
from route_sql.graph.confidence import calibration_of
from route_sql.serving.embedded.on_demand import ChatOnDemand
from route_sql.serving.errors import ModelUnavailable, ServerUnavailable
from route_sql.serving.store.model_store import FetchProgress, ModelFile, ModelStore


@pytest.mark.parametrize("name", ["default", "base"])
async def test_its_profile_is_known_before_it_runs(name: str, tmp_path: Path) -> None:
    model = ChatOnDemand(name_or_path=name, store=ModelStore(tmp_path))
    profile = ModelStore(tmp_path).profile(name)
    assert await wording_of(model) == profile.wording
    assert (calibration_of(model) is None) == (profile.calibration is None)
    assert (model.temperature, model.seed) == (profile.temperature, 0)
    assert can_sample(model) and not model.is_loaded
    assert list(tmp_path.iterdir()) == []


def test_the_default_model_is_calibrated(tmp_path: Path) -> None:
    calibration = calibration_of(ChatOnDemand(name_or_path="default", store=ModelStore(tmp_path)))
    assert calibration is not None and calibration.unanswerable is not None and calibration.withhold < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_model_that_fails_to_load_leaves_nothing_open(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    model = ChatOnDemand(name_or_path=str(broken), store=ModelStore(tmp_path))
    opened = []
    for _ in range(3):
        with pytest.raises(ServerUnavailable, match="did not start"):
            await model.ainvoke("hi")
        opened.append(len(os.listdir("/proc/self/fd")))
    assert opened[0] == opened[2]


class SlowStore(ModelStore):
    """Fetches until it is released, and then in vain."""

    released, fetches = threading.Event(), 0

    def resolve(self, name_or_path: str | Path, progress: FetchProgress | None = None) -> ModelFile:
        self.fetches += 1
        assert self.released.wait(20)
        raise ModelUnavailable("no source")


async def test_questions_wait_for_one_start_and_leave_the_pool_to_others(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    model = ChatOnDemand(name_or_path="default", store=store)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    calls = [asyncio.create_task(model.ainvoke("hi")) for _ in range(3)]
    await asyncio.sleep(0.1)
    calls[0].cancel()
    try:
        assert await asyncio.wait_for(asyncio.to_thread(str, 1), 5) == "1"
    finally:
        store.released.set()
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in errors] == [asyncio.CancelledError, ModelUnavailable, ModelUnavailable]
    assert store.fetches == 1
