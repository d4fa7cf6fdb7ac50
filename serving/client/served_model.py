"""A model as `/v1/models` describes it: its name, its context, and the wording that its name stands for."""

import re
from dataclasses import dataclass
from typing import Any

from route_sql.serving.client.completion_parts import parsed
from route_sql.serving.client.failures import BadAnswer
from route_sql.serving.packaged_calibrations import calibration_of_name
from route_sql.serving.profile import Profile, PromptWording

UNNAMED = "tgi"
"""Name that is sent where neither the caller nor the server has one: text-generation-inference takes any."""
_TUNED = re.compile(r"(?:^route-sql/[^/]+|(?:^|/)route-sql(?:[-_.:][^/]*)?)/?$", re.IGNORECASE)
_NAME_CHARS, _MOST_MODELS = 1000, 1000
_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")


@dataclass(frozen=True)
class ServedModel:
    """A served model; None where the server says nothing."""

    name: str | None = None
    context: int | None = None
    """Tokens of prompt and answer together."""
    names: tuple[str, ...] = ()
    """All models of the server; `name` is the first."""

    def wording(self, asked: str | None = None) -> PromptWording:
        """The wording of the model that is asked for by a name, or of the first; `instruct` where no name says any.

        A name that the server doesn't list means its only model: some servers take any name.
        """
        return wording_of_name(self._meant(asked))

    def calibration(self, asked: str | None = None) -> dict[str, Any] | None:
        """The packaged calibration of the model that is asked for by a name, or of the first; None for other models."""
        return calibration_of_name(self._meant(asked))

    def _meant(self, asked: str | None) -> str:
        """The name of the model that a request for a name gets; empty if it has none."""
        is_other = asked is not None and (asked in self.names or len(self.names) > 1)
        return (asked if is_other else self.name or asked) or ""


NOTHING_SAID = ServedModel()


def wording_of_name(name: str) -> PromptWording:
    """The wording of a served model: `tuned` if its name, or the folder it is named by, begins with `route-sql`."""
    return "tuned" if _TUNED.search(name.replace("\\", "/")) else "instruct"


def served_name(name: str, profile: Profile) -> str:
    """The name to serve a model by, so that its clients find the wording, and no calibration of another model."""
    full = name if wording_of_name(name) == profile.wording else f"route-sql/{name}"
    return full if calibration_of_name(full) in (None, profile.calibration) else f"{full}-of-yours"


def read_served_model(body: str) -> ServedModel:
    """The first model of a server's list, or nothing if there is no list that can be read."""
    try:
        answer = parsed(body)
    except BadAnswer:
        return NOTHING_SAID
    models = answer.get("data") if isinstance(answer, dict) else None
    named = [model for model in models if _is_named(model)] if isinstance(models, list) else []
    if not named:
        return NOTHING_SAID
    names = tuple(model["id"][:_NAME_CHARS] for model in named[:_MOST_MODELS])
    return ServedModel(names[0], _context(named[0]), names)


def _is_named(model: Any) -> bool:
    return isinstance(model, dict) and isinstance(model.get("id"), str) and bool(model["id"].strip())


def _context(model: dict[str, Any]) -> int | None:
    meta = model.get("meta")
    places = [model, meta if isinstance(meta, dict) else {}]
    found = (place.get(key) for place in places for key in _CONTEXT_KEYS)
    return next((value for value in found if type(value) is int and 0 < value < 10**9), None)  # a bool is an int too
