"""Plan of a run in two stages, as one YAML file holds it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter

from route_sql.training.datasets.data_set import Layout
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.rows.building import Recipe
from route_sql.training.rows.data_card import JSON_CARD
from route_sql.training.tuning.config import PositiveFloat, PositiveInt, SFTRun, checked, find_config, read_config

NotNegative = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Plan:
    """One run in one or two stages. Paths are relative to the working directory."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    sft: SFTRun
    """Settings of stage two; stage one has the same, with fewer tasks. With two stages `data` are rows made without a
    model's replies: the model is asked the questions of the first folder, and rows of further folders are only added in
    stage two. `epochs` bounds stage two."""
    questions: Path
    """The questions that the rows of the first folder were made from."""
    databases: Path
    """The databases of these questions."""
    stages: Literal[1, 2] = 2
    """1 leaves out stage one and its replies: the rows of all folders are learned from as they are."""
    layout: Layout = "spider"
    limit: PositiveInt | None = None
    """The `--limit` that the rows were made with."""
    pieces: Path | None = None
    """The folder with the pieces of a GGUF base, if it is in pieces."""
    seconds: NotNegative = 1080.0
    """Time of the whole run from its first start; stage two gets the rest that the other stages leave."""
    last_seconds: NotNegative = 120.0
    """The part of it that is kept for loading in stage two and for the scores."""
    stage_one_epochs: PositiveFloat = 1.0
    """Epochs of stage one over the databases of a fold."""
    prompts: PositiveInt | None = None
    """The most questions of a fold that the model is asked; None asks all."""
    drawn: Annotated[int, Field(ge=0)] = 1
    """Sampled replies to each question, in addition to the greedy one."""
    max_new_tokens: PositiveInt = 256
    """The longest reply, in tokens."""
    scored: PositiveInt = 300
    """The most held-out rows of a task whose replies are scored."""
    processes: PositiveInt | None = None
    """Processes that build rows; None uses all cores."""

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            TrainingError: `sft` has `max_steps`.
        """
        if self.sft.max_steps is not None:
            raise TrainingError("sft.max_steps is not for a plan, whose steps follow from seconds; set sft.epochs")

    @property
    def out(self) -> Path:
        """The folder of the run."""
        return Path(self.sft.out)

    @property
    def prepared(self) -> Path:
        """The folder of the prepared rows whose questions are asked."""
        return self.sft.folders[0]

    @property
    def further(self) -> tuple[Path, ...]:
        """The folders of rows that are only added."""
        return self.sft.folders[1:]

    def settings(self) -> dict[str, JSON]:
        """The settings that a resumed run must share; bounds in time and processes may differ."""
        settings = asdict(self)
        for name in ("seconds", "last_seconds", "processes"):
            del settings[name]
        return cast(dict[str, JSON], json.loads(json.dumps(settings, default=str)))


PLAN = TypeAdapter(Plan)
"""Checks the settings of a plan."""


def load_plan(path: Path) -> Plan:
    """Read a plan.

    Args:
        path: A YAML file, or the name of one of ours (`two-stages-0.5b`).

    Raises:
        TrainingError: there is no such file, it is not YAML, or keys are unknown, missing or of a wrong kind.
    """
    return checked(PLAN, read_config(path), str(find_config(path)))


def recipe_of(data: Path) -> Recipe:
    """The recipe of a set of rows, as its data card says.

    Raises:
        TrainingError: there is no data card, or it lacks settings.
    """
    try:
        return Recipe.from_settings(json.loads((data / JSON_CARD).read_text(encoding="utf-8"))["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{data} holds no whole set ({error!r}); make it with route-sql train data") from error
