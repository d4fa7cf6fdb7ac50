"""Shards of a training set joined into the set that one machine would have written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from route_sql.tools.files import written_whole
from route_sql.training.datasets.shards import Shard, check_each_once, read_shard, unlike
from route_sql.training.errors import DatasetError
from route_sql.training.resumable import OneWriter, different_settings
from route_sql.training.rows.data_card import JSON_CARD, DataCard, write_card
from route_sql.training.rows.row_files import SHARD, DataFiles, read_progress


@dataclass(frozen=True)
class _SetPart:
    folder: Path
    shard: Shard
    settings: Mapping[str, Any]
    card: DataCard


def join_sets(folders: Sequence[Path], out: Path) -> DataCard:
    """Join the shards of one set, in the order of the questions, and write the card of the whole set.

    Raises:
        DatasetError: a shard is missing, given twice, unfinished, or of another set; or `out` exists.
    """
    with OneWriter(out, "file", DatasetError):
        if out.exists():
            raise DatasetError(f"{out} exists already; name another folder")
        parts = sorted((_read(folder) for folder in folders), key=lambda part: part.shard.number)
        _check_one_set(parts)
        check_each_once([part.shard for part in parts], DatasetError)
        try:
            with written_whole(out) as draft:
                return _write(parts, draft)
        except OSError as error:
            raise DatasetError(f"{out} can't be written: {error}; name another folder") from error


def check_shard(folder: Path) -> None:
    """Check that a shard is complete.

    Raises:
        DatasetError: it is not.
    """
    _read(folder)


def _write(parts: Sequence[_SetPart], out: Path) -> DataCard:
    files = DataFiles(out, parts[0].settings)
    try:
        for part in parts:
            files.append_set(part.folder)
        card = parts[0].card
        return write_card(
            files,
            parts[0].settings,
            licence=card["licence"],
            examples=sum(part.card["examples"] for part in parts),
            excluded=card["excluded"],
            held_out=card["held_out"],
            poison=card["poison"],
        )
    finally:
        files.close()


def _read(folder: Path) -> _SetPart:
    progress = read_progress(folder)
    settings = dict(progress["settings"])
    try:
        shard = read_shard(str(settings.pop(SHARD)))
        card = cast(DataCard, json.loads((folder / JSON_CARD).read_text(encoding="utf-8")))
        done = card["examples"] == progress["done"]
    except (OSError, ValueError, KeyError, TypeError, DatasetError) as error:
        raise DatasetError(f"{folder} is not a finished shard of a set; run train data with --shard") from error
    if not done:
        raise DatasetError(f"{folder} is not finished; run train data with --shard {shard} again, which resumes it")
    return _SetPart(folder, shard, settings, card)


def _check_one_set(parts: Sequence[_SetPart]) -> None:
    first = parts[0]
    for part in parts[1:]:
        changed = different_settings(first.settings, part.settings)
        changed += unlike(first.shard, part.shard)
        if changed:
            raise DatasetError(f"{first.folder} and {part.folder} are of different sets: {'; '.join(changed)}")
