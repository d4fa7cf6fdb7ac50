"""Lines of a run that can be stopped: a JSON Lines file, with the settings of the run next to it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from route_sql.tools.files import write_whole
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import JSON, meta_path
from route_sql.training.resumable import check_same_settings, different_settings


def keep_settings(path: Path, settings: Mapping[str, JSON]) -> None:
    """Keep the settings of a run next to its lines, or check that a run that is resumed has the same.

    A last line that was cut off is dropped from the file.

    Raises:
        EvaluationError: the lines are of a run with other settings or of an unknown one, or a file is damaged or can't
            be written.
    """
    place = meta_path(path)
    with reading(place):
        # A file without settings is no run's, or a copy of one that may have asked another model.
        if path.exists() and path.stat().st_size and not place.exists():
            raise EvaluationError(
                f"{path} exists without {place.name}, which holds its settings; name another file with --out"
            )
        then = json.loads(place.read_text(encoding="utf-8")) if path.exists() and place.exists() else settings
        differences = different_settings(then, settings)
    check_same_settings(path, differences, "name another file with --out", EvaluationError)
    try:
        write_whole(place, json.dumps(dict(settings), indent=1) + "\n")
        if path.exists():
            text = path.read_text(encoding="utf-8")
            write_whole(path, text[: text.rfind("\n") + 1])
    except OSError as error:
        raise EvaluationError(f"{path} can't be written: {error}; the same command resumes") from error


def write_lines(path: Path, *values: object) -> None:
    """Add JSON values to a JSON Lines file, one a line.

    Raises:
        EvaluationError: the file can't be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(value) + "\n" for value in values))
    except OSError as error:
        raise EvaluationError(f"{path} can't be written: {error}; the same command resumes") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise an error of a file of answers that says what to do.

    Raises:
        EvaluationError: the file is damaged or can't be read.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path} is damaged or can't be read: {error}; name another file with --out") from error
