"""A person's answer counts only for what that person was shown.

LangGraph gives `Command(resume=True)` to the first interrupt that the resumed run reaches. In a node that asks several
questions this may be another query than the person saw. So the thread is read: what waits there is what was shown.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langchain_core.runnables.config import set_config_context
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_DURABILITY,
    CONFIG_KEY_RESUME_MAP,
    CONFIG_KEY_SCRATCHPAD,
    INTERRUPT,
)
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.config import get_config
from langgraph.types import Interrupt, _interrupt_id, interrupt
from pydantic import BaseModel

from route_sql.graph.threads.stored_narrowing import stored_checkpoint
from route_sql.tools.errors import InvalidInput

ANOTHER_IN_THE_NODE = re.compile(r":[^|]*\|\d+\|")
"""Part of the namespace of a run that is not the first one in its node, and that LangGraph drops when the node ends."""
FORGOTTEN = (
    "durability='exit' forgets the answer to a node's first question while its next one waits for a person, and would "
    "ask for ever: use durability='sync' or 'async', ask each question in a node of its own, or build_graph("
    "checkpointer=True)"
)


async def asked(value: dict[str, Any], form: type[BaseModel]) -> Any:
    """Interrupt the run with a value, and return the answer that a person gave to this very value.

    Raises:
        InvalidInput: the run can't be resumed, since its checkpoints are written only when the graph around it ends.
        ValidationError: the answer does not fit the form.
    """
    config = get_config()
    conf = config["configurable"]
    if conf.get(CONFIG_KEY_DURABILITY) == "exit" and ANOTHER_IN_THE_NODE.search(conf[CONFIG_KEY_CHECKPOINT_NS]):
        raise InvalidInput(FORGOTTEN)
    pad: PregelScratchpad = conf[CONFIG_KEY_SCRATCHPAD]
    place = pad.interrupt_counter()
    pad = replace(pad, interrupt_counter=lambda: place)
    if _is_offered(conf, pad, place) and not _is_answered(value, await _waiting(conf), conf):
        pad = replace(pad, resume=pad.resume[:place], get_null_resume=_none)
    with set_config_context({**config, "configurable": {**conf, CONFIG_KEY_SCRATCHPAD: pad}}) as context:
        return context.run(interrupt, value, response_schema=form)


def _none(_consume: bool = False) -> None:
    """Offer no answer."""


def _is_offered(conf: Mapping[str, Any], pad: PregelScratchpad, place: int) -> bool:
    """Whether LangGraph would take an answer of this resume. Answers of earlier resumes were checked when they came."""
    if place >= len(pad.resume):
        return pad.get_null_resume(False) is not None
    named = conf.get(CONFIG_KEY_RESUME_MAP) or {}
    # LangGraph takes the id of a node's first interrupt for each later one too
    ids = {_interrupt_id(conf[CONFIG_KEY_CHECKPOINT_NS], each) for each in (0, place)}
    return place == len(pad.resume) - 1 and not ids.isdisjoint(named)


def _is_answered(value: dict[str, Any], waiting: list[Interrupt[Any]], conf: Mapping[str, Any]) -> bool:
    """Whether an answer, which names its interrupt or is the only one, was given to this value."""
    named = conf.get(CONFIG_KEY_RESUME_MAP)
    return any(each.value == value and (not named or each.id in named) for each in waiting)


async def _waiting(conf: Mapping[str, Any]) -> list[Interrupt[Any]]:
    """The interrupts of the outermost graph that were waiting when it was resumed."""
    outermost = min(conf.get(CONFIG_KEY_CHECKPOINT_MAP) or {"": None}, key=len)
    stored = await stored_checkpoint(conf, outermost)
    writes = (stored and stored.pending_writes) or []
    return [each for _, channel, written in writes if channel == INTERRUPT for each in written]
