"""A model that is started by its first call says beforehand what a running one says: its profile, and no server."""

from pathlib import Path

import pytest

from route_sql.agents.call import can_sample, wording_of
from route_sql.graph.confidence import calibration_of
from route_sql.serving.embedded.on_demand import ChatOnDemand
from route_sql.serving.store.model_store import ModelStore


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
