"""The adapters that the package carries: the very bytes that the manifest names, for bases served without them too."""

from pathlib import Path

import pytest

from route_sql.serving.store.manifest import MANIFEST, ModelEntry, PackagedParts
from route_sql.serving.store.sources import source_for
from route_sql.tools.files import sha256_of

TUNED = [entry for entry in MANIFEST.values() if entry.adapter]


def test_the_default_model_is_tuned_and_its_base_is_there_without() -> None:
    default, base = MANIFEST["default"], MANIFEST["base"]
    assert default in TUNED and default.profile.wording == "tuned"
    assert (base.file, base.sha256, base.adapter) == (default.file, default.sha256, None)
    assert base.profile.wording == "instruct"


@pytest.mark.parametrize("entry", TUNED, ids=lambda entry: entry.name)
def test_the_bytes_are_those_of_the_manifest(entry: ModelEntry, tmp_path: Path) -> None:
    assert entry.adapter
    places = [place for place in entry.adapter.sources if isinstance(place, PackagedParts)]
    for place in places:
        file = source_for(place).fetch(tmp_path, entry.adapter.size, lambda done: None)
        assert (file.stat().st_size, sha256_of(file)) == (entry.adapter.size, entry.adapter.sha256)
    assert places
