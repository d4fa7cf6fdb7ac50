"""The run's choices in the state: a resumed run keeps them, and its new context can only narrow them."""

import json
from functools import lru_cache
from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.fields.run_choices import Choices
from route_sql.graph.state import State
from route_sql.graph.threads.surrounding import SurroundingContext
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.rights.visibility import Visibility

REQUIRED = {"approve", "rights"}
"""Choices without which nothing runs; any other missing choice has its default."""
_AS_TEXT = json.JSONEncoder().encode


def choices_of(
    context: Context,
    *,
    can_sample: bool = False,
    enough: float = 1.0,
    withhold: float | None = 1.0,
    correct_rows: bool = True,
) -> Choices:
    """The choices of a context, in the form that the state keeps.

    Args:
        context: The caller's choices.
        can_sample: Whether the model can be asked at a temperature.
        enough: Confidence from which no other agent is asked, if the caller chose none.
        withhold: Probability that there is no answer, from which on no SQL is given, if the caller allows that and
            chose none.
        correct_rows: Whether the noise corrector is asked once a query of the model has returned rows.
    """
    from_probability = withhold if context.withhold_from is None else context.withhold_from
    choices = Choices(
        strategy=context.strategy,
        without=list(context.without),
        dialect=context.dialect,
        row_limit=context.row_limit,
        deadline=context.deadline,
        seconds=context.seconds,
        schema_chars=context.schema_chars,
        max_corrections=context.max_corrections,
        max_continuations=context.max_continuations,
        max_samples=context.max_samples,
        samples=context.samples,
        sample_seconds=context.sample_seconds,
        max_tokens=context.max_tokens,
        withhold=from_probability if context.withhold else None,
        enough=enough if context.enough is None else context.enough,
        min_confidence=context.min_confidence,
        follow_up=context.follow_up,
        approve=context.approve,
        keep_prompts=context.keep_prompts,
        after_rejection=context.after_rejection,
        clarify=context.clarify,
        rights=context.rights.as_json(),
        asked_by=context.asked_by,
        can_sample=can_sample,
        correct_rows=correct_rows,
    )
    return {**choices, "surrounded": True} if isinstance(context, SurroundingContext) else choices


def kept_choices(state: State) -> Choices:
    """The choices that the run began with, each of them checked, since the state may have been edited.

    Raises:
        InvalidInput: the state does not hold them, or one of them is not a valid choice.
    """
    kept: object = state.get("choices")
    if not isinstance(kept, dict):
        raise InvalidInput("the state holds no choices of its run, so its rights are unknown; ask the question again")
    if wrong := REQUIRED - kept.keys() or kept.keys() - _KEYS:
        names = ", ".join(sorted(map(str, wrong)))
        raise InvalidInput(
            f"choices in the state {'lack' if wrong <= REQUIRED else 'have the unknown key'} {names:.200}: write them "
            "as the run began, or ask the question again"
        )
    try:
        # A copy: each node and router of a run reads the same choices.
        return Choices(**_checked_text(_AS_TEXT(kept)))
    except InvalidInput as error:
        raise InvalidInput(f"choices in the state can't be used: {error}") from error
    except (TypeError, ValueError) as error:  # not JSON, which is all that a checkpointer returns
        raise InvalidInput("choices in the state must be plain JSON: ask the question again") from error


@lru_cache(maxsize=64)
def _checked_text(text: str) -> Choices:
    return _checked(json.loads(text))


def _checked(kept: dict[str, Any]) -> Choices:
    given: dict[str, Any] = {name: value for name, value in kept.items() if name not in _NOT_IN_CONTEXT}
    share = kept.get("withhold")
    is_share = isinstance(share, int | float) and not isinstance(share, bool)
    context = Context(**{**given, "approve": kept["approve"] is not False, "withhold": is_share})
    choices = choices_of(
        context,
        can_sample=kept.get("can_sample") is True,
        withhold=share if is_share else None,
        correct_rows=kept.get("correct_rows") is not False,
    )
    checked: Choices = {**choices, "rights": Visibility.from_json(kept["rights"]).as_json()}
    return {**checked, "surrounded": True} if kept.get("surrounded") is True else checked


def narrowed(kept: Choices, context: Context) -> Choices:
    """The choices of a run that is resumed with a context: approval, rights and limits are the narrower of both."""
    return {
        **kept,
        "approve": kept["approve"] or bool(context.approve),
        "rights": rights_in(kept).narrowed(context.rights).as_json() if context.rights else kept["rights"],
        "row_limit": lower_limit(kept["row_limit"], context.row_limit),
        "deadline": lower_limit(kept["deadline"], context.deadline),
    }


def lower_limit(kept: Any, given: Any) -> Any:
    """The lower of two limits; None means no limit."""
    limits = [limit for limit in (kept, given) if limit is not None]
    return min(limits, default=None)


def rights_in(choices: Choices) -> Visibility:
    """The caller's rights."""
    return Visibility.from_json(choices["rights"])


_NOT_IN_CONTEXT = ("rights", "can_sample", "correct_rows", "withhold", "surrounded")
_KEYS = set(Choices.__annotations__)
