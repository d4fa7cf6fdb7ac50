"""Confidence of an answer: a calibration turns signals of a run into a probability."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from math import exp
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le
from langchain_core.language_models import BaseChatModel
from pydantic import AfterValidator, AllowInfNan, ConfigDict, Strict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from route_sql.agents.call import settings_of
from route_sql.graph.calls.budget import in_time
from route_sql.graph.selection import leading
from route_sql.graph.signals import ANSWER_SIGNALS, NO_ANSWER_SIGNALS, kind_of, signals_of
from route_sql.graph.state import AnswerKind, Assessment, State
from route_sql.tools.database.outcome import ran
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.schema.records import Schema

LOOK_UP_SECONDS = 10.0
"""Seconds that the server may take to name its model in the middle of a run."""
Number = Annotated[float, Strict(), AllowInfNan(False)]
"""A number of a calibration: no text, no infinity."""
Probability = Annotated[Number, Ge(0.0), Le(1.0)]
_STRICT = ConfigDict(extra="forbid")


class FittedChoices(TypedDict):
    """Choices of a run that belong to a model; see `Choices`."""

    enough: float
    withhold: float
    correct_rows: bool


@dataclass(frozen=True)
class Logistic:
    """A logistic model as plain numbers."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    intercept: Number
    weights: dict[str, Number]
    """Weight of each signal."""
    usual: dict[str, Number]
    """Mean of each signal where the model was fitted; taken where a run lacks the signal."""

    def probability(self, signals: Mapping[str, float]) -> float:
        """The probability, from 0 to 1; a signal without a weight does not count."""
        values = {name: signals.get(name, self.usual.get(name, 0.0)) for name in self.weights}
        score = self.intercept + sum(weight * values[name] for name, weight in self.weights.items())
        return 1.0 / (1.0 + exp(-min(30.0, max(-30.0, score))))


def _of_signals(known: frozenset[str]) -> AfterValidator:
    """Refuses a logistic model of signals that no run has: its answers would silently stay without a calibration."""

    def check(model: Logistic) -> Logistic:
        if unknown := sorted(model.weights.keys() - known):
            raise ValueError(f"no run has the signal {', '.join(unknown)}")
        return model

    return AfterValidator(check)


AnswerModel = Annotated[Logistic, _of_signals(ANSWER_SIGNALS)]
NoAnswerModel = Annotated[Logistic, _of_signals(NO_ANSWER_SIGNALS)]


@dataclass(frozen=True)
class Calibration:
    """Numbers that make a probability of an answer's signals, for one model.

    `train calibrate` makes one from questions whose right SQL is known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    alone: AnswerModel
    """Model for an answer without a second opinion."""
    compared: AnswerModel
    """Model for an answer that was compared with a second opinion."""
    enough: Probability = 1.0
    """Confidence of the leading candidate from which no other agent is asked; 1 never ends a run early."""
    unanswerable: NoAnswerModel | None = None
    """Model for the probability that the database can't answer a question; see `graph/answerable.py`."""
    withhold: Probability = 1.0
    """Probability that there is no answer, from which on no SQL is given."""
    made_from: str = ""
    """Name of the model, and the data that the calibration was fitted on."""
    voted: AnswerModel | None = None
    """Model for an answer that samples have voted on; None if it was made without samples."""
    correct_rows: Annotated[bool, Strict()] = True
    """Whether `adaptive` asks the noise corrector once a query of the model has returned rows."""

    @property
    def choices(self) -> FittedChoices:
        """The choices of a run that were measured with the calibration."""
        return {"enough": self.enough, "withhold": self.withhold, "correct_rows": self.correct_rows}

    def confidence(self, kind: AnswerKind, signals: Mapping[str, float]) -> float:
        """The probability that an answer with these signals is right."""
        return (self._of(kind) or self.compared).probability(signals)

    def has_signals(self, kind: AnswerKind, signals: Mapping[str, float]) -> bool:
        """Whether the calibration was fitted on answers of this kind, and the run has all of their signals."""
        model = self._of(kind)
        return model is not None and model.weights.keys() <= signals.keys()

    def _of(self, kind: AnswerKind) -> Logistic | None:
        return {"alone": self.alone, "compared": self.compared, "voted": self.voted}[kind]


UNCALIBRATED = Calibration(
    alone=Logistic(1.0, {"surprise": -1.0, "doubted": -1.0, "covered": 1.0}, {"surprise": 0.5, "covered": 0.5}),
    compared=Logistic(
        0.0,
        {"surprise": -1.0, "agreeing": 1.0, "differing": -1.0, "doubted": -1.0, "covered": 1.0},
        {"surprise": 0.5, "covered": 0.5},
    ),
    voted=Logistic(-2.0, {"votes": 4.0, "doubted": -1.0, "covered": 1.0}, {"votes": 0.5, "covered": 0.5}),
)
"""Values that only order answers, for a model without its own calibration."""


def read_calibration(text: str | bytes) -> Calibration:
    """A calibration from its JSON.

    Raises:
        InvalidInput: it is not one.
    """
    with _explained():
        return _ADAPTER.validate_json(text)


def checked_calibration(given: object) -> Calibration | None:
    """A calibration that a caller gave; None if there is none.

    Raises:
        InvalidInput: it is something else, or its numbers can't be used.
    """
    if not isinstance(given, Calibration | None):
        raise InvalidInput(
            f"calibration must be a Calibration, such as read_calibration(text) gives, not {type(given).__name__}"
        )
    return _read(given)


def calibration_of(model: BaseChatModel) -> Calibration | None:
    """The calibration that a model carries; None if it has none.

    Raises:
        InvalidInput: the model carries something else.
    """
    return _read(getattr(settings_of(model), "calibration", None))


async def find_calibration(model: BaseChatModel, given: Calibration | None, state: State) -> Calibration | None:
    """The calibration that was given, or else the one that belongs to the server's name for the model.

    The server of a model that this run does not ask, since a person wrote the query, is left alone.

    Raises:
        InvalidInput: what the model gives is no calibration.
        RouteError: the server can't be reached.
    """
    is_own_query = state.get("proposal") and not state.get("ledger")
    find = None if given or is_own_query else getattr(settings_of(model), "find_calibration", None)
    return given if find is None else _read(await find())


async def calibration_in_run(model: BaseChatModel, given: Calibration | None, state: State) -> Calibration | None:
    """The calibration in the middle of a run; None if the server is away, since an approved query needs no model."""
    try:
        return await in_time(partial(find_calibration, model, given, state), LOOK_UP_SECONDS)
    except RouteError:  # the next call of the model reports it
        return None


def _read(given: Any) -> Calibration | None:
    if given is None:
        return None
    with _explained():  # pydantic takes a dataclass as it is, so one that was made in Python is read as numbers
        return _ADAPTER.validate_python(asdict(given) if isinstance(given, Calibration) else given)


def assess(state: State, schema: Schema, calibration: Calibration | None) -> Assessment | None:
    """The leading candidate's signals and confidence; None if there is no candidate."""
    first = leading(state)
    if first is None:
        return None
    kind, signals = kind_of(state), signals_of(first, state, schema)
    is_calibrated = calibration is not None and calibration.has_signals(kind, signals)
    numbers = calibration if calibration is not None and is_calibrated else UNCALIBRATED
    return Assessment(
        sql=first["sql"],
        kind=kind,
        signals=signals,
        confidence=round(numbers.confidence(kind, signals), 4) if ran(first["outcome"]) else 0.0,
        calibrated=is_calibrated,
    )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        fault = error.errors()[0]
        place = f"{'.'.join(map(str, fault['loc']))}: " if fault["loc"] else ""
        raise InvalidInput(f"not a calibration: {place}{fault['msg']}; make one by train calibrate") from error


_ADAPTER: TypeAdapter[Calibration] = TypeAdapter(Calibration)
