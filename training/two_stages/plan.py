"""What a run in two stages needs, beside the settings of fine-tuning."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import cast

from route_sql.training.datasets.source import DataFormat
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.rows.building import Recipe
from route_sql.training.rows.data_card import JSON_CARD
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.dense_base import Base
from route_sql.training.two_stages.mistakes import Passes


@dataclass(frozen=True)
class Plan:
    """One run.

    `run` is stage two as a single run would be; stage one is the same with fewer tasks. Its `data` are prepared rows,
    made without a model's replies, its `epochs` the most of stage two. The first folder is the set whose questions are
    asked; rows of further ones, of other questions, are learned from in stage two as they are.
    """

    run: SFTRun
    base: Base
    questions: Path
    databases: Path
    format: DataFormat = "spider"
    limit: int | None = None
    """As the prepared rows were made."""
    seconds: float = 1080.0
    """Of the whole run, from its first start; stage two gets what the others leave."""
    last_seconds: float = 120.0
    """What is kept of it for loading in stage two and for the scores."""
    stage_one_epochs: float = 1.0
    passes: Passes = Passes()
    prompts: int | None = None
    """The most questions of a fold that are asked; None asks all."""
    scored: int = 300
    """The most held-out rows of a task whose replies are scored."""
    processes: int = 4
    """For building rows."""

    @property
    def out(self) -> Path:
        """The folder of the run."""
        return Path(self.run.out)

    @property
    def prepared(self) -> Path:
        """The folder of the prepared rows whose questions are asked."""
        return self.run.folders[0]

    @property
    def further(self) -> tuple[Path, ...]:
        """The folders of rows that are only added."""
        return self.run.folders[1:]

    def settings(self) -> dict[str, JSON]:
        """What makes this run another one. Bounds in time and processes may change when it is taken up again."""
        settings = asdict(self)
        for name in ("seconds", "last_seconds", "processes"):
            del settings[name]
        return cast(dict[str, JSON], json.loads(json.dumps(settings, default=str)))


def recipe_of(data: Path) -> Recipe:
    """What a set of rows was made by, as its data card says.

    Raises:
        TrainingError: there is no data card, or it lacks settings.
    """
    try:
        settings = json.loads((data / JSON_CARD).read_text(encoding="utf-8"))["settings"]
        return replace(Recipe(), **{field.name: settings[field.name] for field in fields(Recipe)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{data} holds no whole set ({error!r}); make it with route-sql train data") from error
