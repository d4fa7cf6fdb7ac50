"""Shards of an evaluation merged into the run that one machine would have written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from route_sql.tools.files import write_whole
from route_sql.training.datasets.shards import Shard, check_each_once, read_shard, unlike
from route_sql.training.errors import DatasetError, EvaluationError
from route_sql.training.evaluation.database_digests import changed_databases
from route_sql.training.evaluation.run_log import Line, line_bytes, meta_path, read_run
from route_sql.training.resumable import OneWriter, different_settings


@dataclass(frozen=True)
class _RunPart:
    path: Path
    shard: Shard
    settings: Mapping[str, Any]
    questions: int
    whole: Mapping[str, Any]
    databases: Mapping[str, str | None]
    lines: list[Line]


def merge_shards(paths: Sequence[Path], out: Path) -> list[Line]:
    """Merge the shards of one run, and write the run's lines in the order of the questions.

    Returns:
        The lines.

    Raises:
        EvaluationError: a shard is missing, given twice, unfinished, or of another run; or `out` exists.
    """
    with OneWriter(out, "file", EvaluationError):
        if out.exists():
            raise EvaluationError(f"{out} exists already; name another file")
        parts = sorted((_read(path) for path in paths), key=lambda part: part.shard.number)
        _check_one_run(parts)
        _check_whole(parts)
        lines = sorted((line for part in parts for line in part.lines), key=lambda line: line["index"])
        digests = {name: digest for part in parts for name, digest in part.databases.items()}
        databases = dict(sorted(digests.items()))  # the order of a run that one machine made
        meta = {
            "settings": dict(parts[0].settings),
            **parts[0].whole,
            **({"databases": databases} if databases else {}),
        }
        try:
            write_whole(meta_path(out), json.dumps(meta, indent=1) + "\n")
            write_whole(out, b"".join(map(line_bytes, lines)).decode())
        except OSError as error:
            raise EvaluationError(f"{out} can't be written: {error}; name another file") from error
        return lines


def check_shard(path: Path) -> None:
    """Check that a shard is complete.

    Raises:
        EvaluationError: it is not.
    """
    _check_finished(_read(path))


def _read(path: Path) -> _RunPart:
    lines = read_run(path)
    try:
        meta = json.loads(meta_path(path).read_text(encoding="utf-8"))
        settings, whole, databases = dict(meta["settings"]), dict(meta["whole"]), dict(meta.get("databases", {}))
        shard, questions = read_shard(settings.pop("shard")), int(meta["questions"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DatasetError) as error:
        raise EvaluationError(
            f"{path} is not a shard of a run: {meta_path(path).name} doesn't say which one; run eval with --shard"
        ) from error
    return _RunPart(path, shard, settings, questions, whole, databases, lines)


def _check_one_run(parts: Sequence[_RunPart]) -> None:
    first = parts[0]
    for part in parts[1:]:
        changed = different_settings(first.settings, part.settings)
        if part.whole != first.whole:
            changed.append("the questions differ")
        changed += unlike(first.shard, part.shard)
        changed += [each for other in parts for each in changed_databases(other.databases, part.databases)]
        if changed:
            raise EvaluationError(f"{first.path} and {part.path} are of different runs: {'; '.join(changed)}")


def _check_whole(parts: Sequence[_RunPart]) -> None:
    check_each_once([part.shard for part in parts], EvaluationError)
    for part in parts:
        _check_finished(part)


def _check_finished(part: _RunPart) -> None:
    if len({line["index"] for line in part.lines}) != part.questions or len(part.lines) != part.questions:
        raise EvaluationError(
            f"{part.path} has {len(part.lines)} lines of {part.questions} questions; run eval with "
            f"--shard {part.shard} again, which resumes it"
        )
