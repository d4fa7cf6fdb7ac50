"""From judged answers to a calibration: logistic models of their signals, checked on databases left out of the fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.graph.state import Kind
from route_sql.training.calibration.figures import Judged
from route_sql.training.errors import TrainingError

LEAST = 30
"""Answers of a kind, and of each verdict among them at least a tenth of that, below which nothing is fitted."""
FOLDS = 5
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Inverse strengths of the penalty that are tried; the one with the least loss on databases left out is taken."""


@dataclass(frozen=True)
class Observation:
    """A leading candidate as a run assessed it, and whether it is right."""

    database: str
    kind: Kind
    signals: dict[str, float]
    correct: bool


@dataclass(frozen=True)
class Fit:
    """A logistic model, and the confidence of each observation by a model that saw nothing of its database."""

    model: Logistic
    held_out: list[Judged]


def fit_calibration(
    observations: Sequence[Observation], enough: float, made_from: str
) -> tuple[Calibration, list[Judged]]:
    """Fit both kinds of answers.

    Args:
        observations: From one model's run, on any databases.
        enough: See `Calibration`.
        made_from: See `Calibration`.

    Returns:
        The calibration, and the confidences of all observations, each from databases other than its own.

    Raises:
        TrainingError: too few observations of a kind, or of one verdict.
    """
    fits = {kind: fit_logistic([each for each in observations if each.kind == kind]) for kind in _KINDS}
    calibration = Calibration(fits["alone"].model, fits["compared"].model, enough, made_from)
    return calibration, [judged for fit in fits.values() for judged in fit.held_out]


def fit_logistic(observations: Sequence[Observation]) -> Fit:
    """Fit one kind of answers; signals that never differ have no weight.

    Raises:
        TrainingError: too few observations, or nearly all of one verdict.
    """
    _require_enough(observations)
    # Imported here because it takes two seconds and only fitting needs it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, table, verdicts = _table(observations)
    groups = [each.database for each in observations]
    folds = GroupKFold(min(FOLDS, len(set(groups))))

    def held_out(strength: float) -> Any:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        return cross_val_predict(model, table, verdicts, groups=groups, cv=folds, method="predict_proba")[:, 1]

    tried = {strength: held_out(strength) for strength in STRENGTHS}
    best = min(STRENGTHS, key=lambda strength: log_loss(verdicts, tried[strength]))
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=best, max_iter=1000)).fit(table, verdicts)
    judged = [Judged(float(p), v) for p, v in zip(tried[best], verdicts, strict=True)]
    return Fit(_plain(names, table, fitted), judged)


_KINDS: tuple[Kind, ...] = ("alone", "compared")


def _require_enough(observations: Sequence[Observation]) -> None:
    right = sum(each.correct for each in observations)
    fewest = min(right, len(observations) - right)
    databases = {each.database for each in observations}
    if len(observations) < LEAST or fewest < LEAST // 10 or len(databases) < 2:
        raise TrainingError(
            f"a calibration needs at least {LEAST} answers of each kind on 2 databases, {LEAST // 10} of them right "
            f"and {LEAST // 10} wrong; here are {len(observations)} on {len(databases)}, {right} right: ask more "
            "questions"
        )


def _table(observations: Sequence[Observation]) -> tuple[list[str], list[list[float]], list[bool]]:
    """The names of the signals that every observation has and that differ, their values, and the verdicts."""
    shared = set.intersection(*(set(each.signals) for each in observations))
    names = sorted(name for name in shared if len({each.signals[name] for each in observations}) > 1)
    return names, [[each.signals[name] for name in names] for each in observations], [e.correct for e in observations]


def _plain(names: Sequence[str], table: Sequence[Sequence[float]], fitted: Any) -> Logistic:
    """The weights for signals as they are: the scaling becomes part of them."""
    scaler, model = fitted[0], fitted[-1]
    weights = [float(weight / scale) for weight, scale in zip(model.coef_[0], scaler.scale_, strict=True)]
    means = [float(mean) for mean in scaler.mean_]
    intercept = float(model.intercept_[0]) - sum(w * m for w, m in zip(weights, means, strict=True))
    return Logistic(
        intercept=round(intercept, 6),
        weights={name: round(weight, 6) for name, weight in zip(names, weights, strict=True)},
        usual={name: round(mean, 6) for name, mean in zip(names, means, strict=True)},
    )
