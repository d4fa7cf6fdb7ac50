"""Shared fixtures."""

import pytest

from route_sql.serving.store import ModelFile, ModelStore


@pytest.fixture(scope="session")
def model_file() -> ModelFile:
    """The default model; fetched into the user's cache by the first test that needs it."""
    return ModelStore().resolve("default")
