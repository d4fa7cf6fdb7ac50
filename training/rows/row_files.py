"""The files of a training set: one JSON Lines file per task and split, written so that a killed run can be resumed.

`progress.json` next to them says how many examples are done and how long each file was then. A resumed run cuts off
whatever was written after that, so it ends with the same bytes as a run that was never stopped.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import Literal, cast, get_args

from typing_extensions import TypedDict

from route_sql.tools.files import write_whole
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.resumable import OneWriter, check_same_settings, different_settings
from route_sql.training.tasks.task import Row, TaskName

Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = get_args(Split)
PROGRESS = "progress.json"
SHARD = "shard"
"""The setting that says which shard of a set a folder holds."""


class Progress(TypedDict):
    """Progress of a set."""

    settings: Mapping[str, JSON]
    done: int
    sizes: dict[str, int]
    left_out: dict[str, list[int]]


class DataFiles:
    """The files of one set, open for one process at a time. All methods read or write files: call them in a thread."""

    def __init__(self, folder: Path, settings: Mapping[str, JSON]) -> None:
        """Begin a set, or resume one that was stopped.

        Args:
            folder: Where the files go; it is made if it is missing.
            settings: All settings that decide the bytes of the set.

        Raises:
            DatasetError: the folder holds a set with other settings or files of something else, is damaged or can't be
                written, or another process is writing it.
        """
        self.folder = folder
        self._writer = OneWriter(folder, "folder", DatasetError)
        self._writer.acquire()
        try:
            self._progress = self._begin_or_resume(json.loads(json.dumps(settings)))
        except OSError as error:
            self._writer.release()
            raise DatasetError(f"{self.folder} can't be written: {error}") from error
        except BaseException:  # Ctrl-C too: nobody has this object to close, and the folder would stay locked
            self._writer.release()
            raise

    @property
    def done(self) -> int:
        """The number of examples that are done."""
        return self._progress["done"]

    @property
    def left_out(self) -> Mapping[str, Sequence[int]]:
        """Indices of the examples that were left out, by reason."""
        return self._progress["left_out"]

    def append(self, rows: Sequence[Row], split: Split, left_out: Mapping[str, int]) -> None:
        """Write all rows of the next example and count it as done; `left_out` maps a reason to the example's index.

        Raises:
            DatasetError: the disk is full, or the folder is gone.
        """
        try:
            for row in rows:
                name = file_name(row["task"], split)
                # A lone surrogate, which a database may hold, becomes the JSON escape of itself.
                data = json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
                with (self.folder / name).open("ab") as file:
                    file.write(data)
                self._progress["sizes"][name] += len(data)
            for reason, index in left_out.items():
                self._progress["left_out"].setdefault(reason, []).append(index)
            self._progress["done"] += 1
            write_whole(self.folder / PROGRESS, json.dumps(self._progress, indent=1) + "\n")
        except OSError as error:
            raise DatasetError(f"{self.folder} can't be written: {error}") from error

    def append_set(self, folder: Path) -> None:
        """Write all rows of another set behind those that are here, and count its examples as done.

        Raises:
            DatasetError: the other set is damaged, or this one can't be written.
        """
        other = read_progress(folder)
        try:
            for name, size in other["sizes"].items():
                _copy(folder / name, self.folder / name, size)
                self._progress["sizes"][name] += size
            for reason, indices in other["left_out"].items():
                self._progress["left_out"].setdefault(reason, []).extend(indices)
            self._progress["done"] += other["done"]
            write_whole(self.folder / PROGRESS, json.dumps(self._progress, indent=1) + "\n")
        except (OSError, KeyError) as error:
            raise DatasetError(f"the rows of {folder} can't be written to {self.folder}: {error}") from error

    def rows(self, task: TaskName, split: Split) -> Iterator[Row]:
        """The rows of one file, in order."""
        with (self.folder / file_name(task, split)).open(encoding="utf-8") as file:
            for line in file:
                yield cast(Row, json.loads(line))

    def close(self) -> None:
        """Let other processes write the folder."""
        self._writer.release()

    def _begin_or_resume(self, settings: Mapping[str, JSON]) -> Progress:
        names = [file_name(task, split) for task in get_args(TaskName) for split in get_args(Split)]
        if not (self.folder / PROGRESS).exists():
            if others := [name for name in names if (self.folder / name).exists()]:
                raise DatasetError(f"{self.folder} holds {others[0]} of another set; name another folder")
            # The sidecar comes first: empty files that it does not know would look like another set's.
            progress = Progress(settings=settings, done=0, sizes=dict.fromkeys(names, 0), left_out={})
            write_whole(self.folder / PROGRESS, json.dumps(progress, indent=1) + "\n")
        else:
            progress = self._read(settings)
        for name, size in progress["sizes"].items():
            self._cut(self.folder / name, size)
        return progress

    def _read(self, settings: Mapping[str, JSON]) -> Progress:
        progress = read_progress(self.folder)
        changed = different_settings(progress["settings"], settings)
        check_same_settings(self.folder, changed, "name another folder", DatasetError)
        return progress

    def _cut(self, path: Path, size: int) -> None:
        with path.open("ab") as file:
            if file.tell() < size:
                raise DatasetError(f"{path} is shorter than {PROGRESS} says; remove the folder and start again")
            file.truncate(size)


def current_names(settings: Mapping[str, JSON]) -> dict[str, JSON]:
    """Settings of a set under the names of today; earlier versions called `layout` `format`."""
    return {"layout" if name == "format" else name: value for name, value in settings.items()}


def read_progress(folder: Path) -> Progress:
    """Read how far a set is.

    Raises:
        DatasetError: the folder holds no set, or its record is damaged.
    """
    try:
        found = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        return Progress(
            settings=current_names(found["settings"]),
            done=int(found["done"]),
            sizes=dict(found["sizes"]),
            left_out=dict(found["left_out"]),
        )
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} holds no training set; name a folder that train data has written") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{folder / PROGRESS} is damaged; name another folder") from error


def _copy(source: Path, target: Path, size: int) -> None:
    """Append `size` bytes of a file to another."""
    if source.stat().st_size != size:
        raise DatasetError(f"{source} has not the length that {PROGRESS} says; make its shard again")
    with source.open("rb") as rows, target.open("ab") as file:
        copyfileobj(rows, file)


def file_name(task: TaskName, split: Split) -> str:
    """The name of the file with the rows of a task and split."""
    return f"{task}.{split}.jsonl"
