"""From judged answers to a calibration: logistic models of their signals, checked on databases left out of the fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from route_sql.graph.confidence import Logistic
from route_sql.graph.state import AnswerKind
from route_sql.training.calibration.figures import Judged
from route_sql.training.errors import TrainingError

SIGNALS = ("surprise", "agreeing", "differing", "failing", "doubted", "covered")
"""Signals that a calibration weighs: of five sets that were tried, the one that ranked held-out databases best."""
VOTED_SIGNALS = (*SIGNALS, "votes", "voted_results")
"""The same for answers that samples have voted on."""
STRENGTH = 0.03
"""Inverse strength of the penalty on the weights, chosen in the same way."""
LEAST = 30
"""Answers of a kind below which nothing is fitted; a tenth of them must be right, and a tenth wrong."""
FOLDS = 7


@dataclass(frozen=True)
class Observation:
    """Signals of a leading candidate, and whether it is right."""

    database: str
    kind: AnswerKind
    signals: dict[str, float]
    correct: bool


@dataclass(frozen=True)
class Fit:
    """A logistic model, and the confidence of each observation by a model fitted without its database."""

    model: Logistic
    held_out: list[Judged]


def fit_logistic(observations: Sequence[Observation], signals: Sequence[str] = SIGNALS) -> Fit:
    """Fit one kind of answers; a signal that never differs has no weight.

    Raises:
        TrainingError: too few observations or databases, or nearly all observations right, or wrong.
    """
    _require_enough(observations)
    # Imported here because it takes two seconds and only fitting needs it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = _differing(observations, signals)
    table = [[each.signals[name] for name in names] for each in observations]
    verdicts = [each.correct for each in observations]
    groups = [each.database for each in observations]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
    folds = list(GroupKFold(min(FOLDS, len(set(groups)))).split(table, verdicts, groups))
    _require_both_verdicts([[verdicts[place] for place in fitted] for fitted, _ in folds])
    held_out = cross_val_predict(model, table, verdicts, cv=folds, method="predict_proba")[:, 1]
    judged = [Judged(float(confidence), correct) for confidence, correct in zip(held_out, verdicts, strict=True)]
    return Fit(_plain(names, model.fit(table, verdicts)), judged)


def _differing(observations: Sequence[Observation], signals: Sequence[str]) -> list[str]:
    """The signals that all answers have and that are not the same for all."""
    values = {name: {each.signals.get(name) for each in observations} for name in signals}
    names = [name for name, found in values.items() if None not in found and len(found) > 1]
    if not names:
        raise TrainingError(
            "no number of these runs differs from answer to answer, so none can tell right answers from wrong ones: "
            "take a model server that gives log-probabilities, or ask more kinds of questions"
        )
    return names


def _require_both_verdicts(folds: Sequence[Sequence[bool]]) -> None:
    if any(len(set(verdicts)) < 2 for verdicts in folds):
        raise TrainingError(
            "without some of the databases all answers are right, or all wrong, so that a calibration can't be checked "
            "on them: ask more questions on other databases"
        )


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


def check_questions(databases: Sequence[str]) -> None:
    """Refuse questions that can't give a calibration, before they are asked.

    Args:
        databases: The database of each question.

    Raises:
        TrainingError: too few questions or databases.
    """
    if len(databases) < LEAST or len(set(databases)) < 2:
        raise TrainingError(
            f"a calibration needs at least {LEAST} questions on 2 databases, since it is checked on databases left out "
            f"of the fit, and is better with 300; here are {len(databases)} on {len(set(databases))}. Add questions "
            "to the file"
        )


def plain_logistic(names: Sequence[str], table: Sequence[Sequence[float]], verdicts: Sequence[bool]) -> Logistic:
    """A logistic model of a table of few signals, both verdicts weighing the same, as plain numbers.

    The penalty is weak: with a strong one, on databases not fitted, fewer questions without an answer were found.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    balanced = LogisticRegression(C=10.0, max_iter=1000, class_weight="balanced")
    return _plain(names, make_pipeline(StandardScaler(), balanced).fit(table, verdicts))


def _plain(names: Sequence[str], fitted: Any) -> Logistic:
    """The weights for signals as they are: the scaling becomes part of them."""
    scaler, model = fitted[0], fitted[-1]
    weights = [float(weight / scale) for weight, scale in zip(model.coef_[0], scaler.scale_, strict=True)]
    means = [float(mean) for mean in scaler.mean_]
    shift = sum(weight * mean for weight, mean in zip(weights, means, strict=True))
    return Logistic(
        intercept=round(float(model.intercept_[0]) - shift, 6),
        weights={name: round(weight, 6) for name, weight in zip(names, weights, strict=True)},
        usual={name: round(mean, 6) for name, mean in zip(names, means, strict=True)},
    )
