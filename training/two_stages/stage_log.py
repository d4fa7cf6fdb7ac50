"""Record of a long run: its stages, their results and times, in a file from which a stopped run is resumed."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from typing_extensions import TypedDict

from route_sql.tools.files import write_whole
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.resumable import check_same_settings, different_settings

logger = logging.getLogger(__name__)


class Stage(TypedDict):
    """A stage that is done."""

    seconds: float
    result: Mapping[str, JSON]


class _StageRecord(TypedDict):
    settings: Mapping[str, JSON]
    begun: float
    stages: dict[str, Stage]


class StageLog:
    """The stages of one run, in the order in which they were done."""

    def __init__(self, file: Path, settings: Mapping[str, JSON]) -> None:
        """Begin a run, or resume the one that `file` records.

        Raises:
            TrainingError: the run was begun with other settings.
        """
        self._file = file
        given = json.loads(json.dumps(settings))
        if file.is_file():
            self._record = cast(_StageRecord, json.loads(file.read_text(encoding="utf-8")))
        else:
            self._record = _StageRecord(settings=given, begun=time.time(), stages={})
        changed = different_settings(self._record["settings"], given)
        check_same_settings(file, changed, "name another folder, or remove this one", TrainingError)

    @property
    def elapsed(self) -> float:
        """Seconds since the run was first begun, pauses included."""
        return time.time() - self._record["begun"]

    def stage(self, name: str, work: Callable[[], Mapping[str, JSON]]) -> Mapping[str, Any]:
        """The recorded result of a stage; if there is none, the result of `work`, which is then recorded."""
        known = self._record["stages"].get(name)
        if known is not None:
            return known["result"]
        logger.info("%s begins, %.0f s into the run", name, self.elapsed)
        begun = time.monotonic()
        result: dict[str, Any] = json.loads(json.dumps(work()))
        seconds = round(time.monotonic() - begun, 1)
        self._record["stages"][name] = Stage(seconds=seconds, result=result)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, json.dumps(self._record, indent=1) + "\n")
        logger.info("%s took %.1f s: %s", name, seconds, json.dumps(result)[:1000])
        return result
