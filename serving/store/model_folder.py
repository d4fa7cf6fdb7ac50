"""A model folder: an adapter of your own and the base it was made for, as `route-sql train export` writes it.

    adapter.gguf      the adapter
    profile.json      which base, by its SHA-256; the adapter's own; how the model is run and prompted

It is named wherever a model is. Everything in it is checked before a server starts: the runtime's own error for a
wrong adapter says nothing, and an adapter on other weights of the same shape is wrong without any error.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.profile import Profile
from route_sql.tools.files import sha256_of, written_whole

PROFILE = "profile.json"


@dataclass(frozen=True)
class FileRecord:
    """A file, known by its bytes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    file: str
    """Its name, without folders."""
    size: int
    """Size in bytes."""
    sha256: str


@dataclass(frozen=True)
class TunedModel:
    """The contents of `profile.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    base: FileRecord
    adapter: FileRecord
    """A file of the folder."""
    profile: Profile
    """Settings of the model; the adapter's path is left out, since it is the folder's."""
    base_name: str | None = None
    """The base's name in the store; the SHA-256 decides."""


_RECORD = TypeAdapter(TunedModel)


def is_model_folder(path: Path) -> bool:
    """Whether a folder is one that holds a model."""
    return (path / PROFILE).is_file()


def write_model_folder(folder: Path, model: TunedModel) -> None:
    """Write `profile.json`, which makes a model of the folder that holds the adapter."""
    with written_whole(folder / PROFILE) as draft:
        draft.write_bytes(_RECORD.dump_json(model, indent=1) + b"\n")


def read_model_folder(folder: Path) -> TunedModel:
    """Read the profile of a model folder; no other file of it is read.

    Raises:
        ModelUnavailable: there is no profile, or it can't be read.
    """
    path = folder / PROFILE
    try:
        model = _RECORD.validate_json(path.read_bytes())
    except OSError as error:
        raise ModelUnavailable(
            f"{folder} is not a model folder, since its {PROFILE} can't be read ({error.strerror}). "
            "`route-sql train export` writes one; or name a .gguf file."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise ModelUnavailable(
            f"{path} is damaged or of another version: {where}: {first['msg']}. Export the model again."
        ) from error
    if any(Path(record.file).name != record.file for record in (model.base, model.adapter)):
        raise ModelUnavailable(f"{path} names a file outside of its folder. Export the model again.")
    return model


def checked_adapter(folder: Path, model: TunedModel) -> Path:
    """The adapter of a model folder, its bytes verified (at every start: it is small).

    Raises:
        ModelUnavailable: it is missing or not the one that was exported.
    """
    path, known = (folder / model.adapter.file).resolve(), model.adapter
    try:
        have = (path.stat().st_size, sha256_of(path))
    except OSError as error:
        raise ModelUnavailable(
            f"The adapter {path} can't be read ({error.strerror}). Copy the whole folder, or export the model again."
        ) from error
    if have != (known.size, known.sha256):
        raise ModelUnavailable(
            f"The adapter {path} is not the one that was exported: its SHA-256 is {have[1]} ({have[0]} bytes), "
            f"not {known.sha256} ({known.size} bytes). Copy it again, or export the model again."
        )
    return path


def file_record(path: Path) -> FileRecord:
    """The record of a file that is there; reads all of it."""
    return FileRecord(path.name, path.stat().st_size, sha256_of(path))
