"""Tuned models: an entry with an adapter, and folders of one's own. The weights here are made-up bytes."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.manifest import AdapterFile, FileLocation, HubFile, ModelEntry, PackagedParts
from route_sql.serving.store.model_folder import FileRecord, TunedModel, file_record, write_model_folder
from route_sql.serving.store.model_store import ModelStore
from route_sql.serving.store.sources import FileSource, PackagedSource, Report, SourceFailed, source_for

WEIGHTS = b"GGUF" + b"w" * 5000
PIECES = (b"GGUF" + b"a" * 300, b"b" * 200, b"c" * 10)
ADAPTER = b"".join(PIECES)
HUB = HubFile("someone/model", "main", "base.gguf")
PARTS = PackagedParts("data/adapter.part{n:02}", parts=3, package="route_sql_made_up")

BASE = ModelEntry(
    name="base",
    title="made up",
    file="base.gguf",
    sources=(HUB,),
    size=len(WEIGHTS),
    sha256=sha256(WEIGHTS).hexdigest(),
    licence="Apache-2.0",
    profile=Profile(context=512),
)
TUNED = replace(
    BASE,
    name="tuned",
    profile=Profile(context=512, wording="tuned", adapter_scale=0.5),
    adapter=AdapterFile("adapter.gguf", (PARTS,), len(ADAPTER), sha256(ADAPTER).hexdigest()),
)
MANIFEST = {"base": BASE, "tuned": TUNED}


class Hub:
    """A source of the weights that counts how often it is asked."""

    label = "hub"

    def __init__(self) -> None:
        self.asked = 0

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        self.asked += 1
        (folder / "hub.part").write_bytes(WEIGHTS)
        return folder / "hub.part"


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def open_store(tmp_path: Path, hub: Hub) -> Callable[..., ModelStore]:
    def open_source(place: FileLocation) -> FileSource:
        return hub if place == HUB else source_for(place)

    return lambda manifest=MANIFEST: ModelStore(tmp_path / "cache", manifest, open_source)


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on the import path that carries the adapter in pieces."""
    data = tmp_path / "site" / "route_sql_made_up" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("")
    for n, piece in enumerate(PIECES, start=1):
        (data / f"adapter.part{n:02}").write_bytes(piece)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, PARTS.package, raising=False)  # another test's
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder as export writes it, for the base of the manifest."""
    made = tmp_path / "ours"
    made.mkdir()
    (made / "adapter.gguf").write_bytes(ADAPTER)
    base = FileRecord("base.gguf", len(WEIGHTS), sha256(WEIGHTS).hexdigest())
    profile = Profile(context=256, wording="tuned")
    write_model_folder(made, TunedModel(base, file_record(made / "adapter.gguf"), profile, base_name="base"))
    return made


def edit(folder: Path, change: Callable[[dict[str, dict[str, object]]], None]) -> None:
    record = json.loads((folder / "profile.json").read_text())
    change(record)
    (folder / "profile.json").write_text(json.dumps(record))


def test_an_entry_with_an_adapter_brings_base_and_adapter(
    open_store: Callable[..., ModelStore], pieces: Path, hub: Hub
) -> None:
    store = open_store()
    assert not store.cached("tuned")
    model = store.resolve("tuned")
    assert model.path.read_bytes() == WEIGHTS
    assert model.profile.adapter is not None
    assert Path(model.profile.adapter).read_bytes() == ADAPTER
    assert model.profile == replace(TUNED.profile, adapter=model.profile.adapter)
    assert store.cached("tuned")


def test_the_base_of_a_tuned_model_is_kept_once(open_store: Callable[..., ModelStore], pieces: Path, hub: Hub) -> None:
    store = open_store()
    assert store.resolve("base").profile.adapter is None
    assert not store.cached("tuned")
    assert store.resolve("tuned").path == store.resolve("base").path
    assert hub.asked == 1


def test_an_adapter_of_a_newer_release_takes_the_place_of_the_old(
    open_store: Callable[..., ModelStore], pieces: Path
) -> None:
    open_store().resolve("tuned")
    (pieces / "adapter.part03").write_bytes(b"d" * 20)
    newer = b"".join([*PIECES[:2], b"d" * 20])
    adapter = AdapterFile("adapter.gguf", (PARTS,), len(newer), sha256(newer).hexdigest())
    store = open_store({"base": BASE, "tuned": replace(TUNED, adapter=adapter)})
    assert not store.cached("tuned")
    assert Path(store.resolve("tuned").profile.adapter or "").read_bytes() == newer


def test_an_adapter_with_other_bytes_is_refused(open_store: Callable[..., ModelStore], pieces: Path) -> None:
    (pieces / "adapter.part02").write_bytes(b"B" * 200)
    with pytest.raises(ModelUnavailable, match="adapter of the model 'tuned'") as caught:
        open_store().resolve("tuned")
    assert TUNED.adapter is not None and TUNED.adapter.sha256 in str(caught.value)


def test_a_piece_that_is_missing_is_named(open_store: Callable[..., ModelStore], pieces: Path) -> None:
    (pieces / "adapter.part02").unlink()
    with pytest.raises(ModelUnavailable, match="adapter.part02"):
        open_store().resolve("tuned")


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    source = PackagedSource(PackagedParts("adapter.gguf", package="route_sql_nowhere"))
    with pytest.raises(SourceFailed, match="route_sql_nowhere"):
        source.fetch(tmp_path, 3, lambda done: None)


def test_a_folder_is_a_model(open_store: Callable[..., ModelStore], folder: Path, hub: Hub) -> None:
    store = open_store()
    assert store.profile(folder).wording == "tuned"
    assert not store.cached(str(folder))
    model = store.resolve(str(folder))
    assert (model.name, model.path.read_bytes()) == ("ours", WEIGHTS)
    assert model.profile == Profile(context=256, wording="tuned", adapter=str(folder / "adapter.gguf"))
    assert store.cached(folder)
    assert hub.asked == 1


def test_a_folder_is_named_without_a_slash(
    open_store: Callable[..., ModelStore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert open_store().resolve("ours").profile.adapter == str(folder / "adapter.gguf")


@pytest.mark.parametrize("place", ["ours", ".", "cache"])
def test_a_base_of_ones_own_is_found_by_its_bytes(
    open_store: Callable[..., ModelStore], folder: Path, place: str
) -> None:
    path = folder.parent / place / "base.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(WEIGHTS)
    store = open_store({})
    assert store.cached(folder)
    assert store.resolve(folder).path == path.resolve()


def test_a_file_next_to_the_adapter_spares_the_download(
    open_store: Callable[..., ModelStore], folder: Path, hub: Hub
) -> None:
    (folder / "base.gguf").write_bytes(WEIGHTS)
    assert open_store().resolve(folder).path == folder / "base.gguf"
    assert hub.asked == 0


def test_a_base_that_changed_after_it_was_found_is_seen(open_store: Callable[..., ModelStore], folder: Path) -> None:
    (folder / "base.gguf").write_bytes(WEIGHTS)
    store = open_store({})
    store.resolve(folder)
    threading.Event().wait(0.02)  # beyond the grain of the file system's clock
    (folder / "base.gguf").write_bytes(WEIGHTS.swapcase())
    with pytest.raises(ModelUnavailable, match="other bytes"):
        store.resolve(folder)


def test_an_adapter_for_another_base(open_store: Callable[..., ModelStore], folder: Path) -> None:
    other = b"GGUF" + b"o" * 5000
    edit(folder, lambda record: record["base"].update(sha256=sha256(other).hexdigest()))
    (folder / "base.gguf").write_bytes(WEIGHTS)
    with pytest.raises(ModelUnavailable, match="made for the base 'base' and no other") as caught:
        open_store().resolve(folder)
    assert sha256(other).hexdigest() in str(caught.value)
    assert f"{folder / 'base.gguf'}: other bytes" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"GGUF" + b"x" * 506])
def test_an_adapter_that_is_missing_or_spoilt(
    open_store: Callable[..., ModelStore], folder: Path, content: bytes | None
) -> None:
    (folder / "adapter.gguf").unlink()
    if content is not None:
        (folder / "adapter.gguf").write_bytes(content)
    wanted = "can't be read" if content is None else "not the one that was exported"
    for call in (open_store().resolve, open_store().cached):
        with pytest.raises(ModelUnavailable, match=wanted):
            call(folder)


def test_a_folder_without_a_profile(open_store: Callable[..., ModelStore], tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not a model folder"):
        open_store().resolve(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda record: record["profile"].update(wordnig="tuned"), "profile.wordnig"),
        (lambda record: record["profile"].update(context="long"), "profile.context"),
        (lambda record: record.pop("base"), "base"),
        (lambda record: record["adapter"].update(file="../adapter.gguf"), "outside"),
    ],
)
def test_a_profile_that_is_damaged(
    open_store: Callable[..., ModelStore],
    folder: Path,
    change: Callable[[dict[str, dict[str, object]]], None],
    reason: str,
) -> None:
    edit(folder, change)
    with pytest.raises(ModelUnavailable, match=reason):
        open_store().profile(folder)


def test_the_adapter_alone_is_no_model(open_store: Callable[..., ModelStore], folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="name the folder"):
        open_store().resolve(folder / "adapter.gguf")
