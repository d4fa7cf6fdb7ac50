"""Narrower rights and limits of a resumed step, stored with its checkpoint.

LangGraph drops what a node returns if the node then waits for a person, and there is nothing to keep if it fails. The
next resume may come without a context. So they are stored before the node does anything, as a write of a task of
its own, which LangGraph gives to no node.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_ID,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_CHECKPOINTER,
    CONFIG_KEY_RESUMING,
)
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.config import get_config

from route_sql.graph.fields.run_choices import Choices
from route_sql.graph.threads.choices import lower_limit, rights_in
from route_sql.tools.loop_thread import QUESTIONS
from route_sql.tools.schema.rights.visibility import Visibility

CHANNEL = "route_sql_narrower"
NARROWED = ("approve", "rights", "row_limit", "deadline")
"""Choices that a resume can narrow."""
EDITS = ("update", "fork")
"""Sources of checkpoints that repeat the step of the one before."""


async def narrowed_before(choices: Choices) -> Choices:
    """The choices, narrowed by each earlier resume of this step; only a run's first step can be a resumed one."""
    conf = get_config().get("configurable", {})
    if not conf.get(CONFIG_KEY_RESUMING):
        return choices
    stored = await stored_checkpoint(conf, _own_namespace(conf))
    while stored is not None:
        for _, channel, written in stored.pending_writes or ():
            choices = _narrower(choices, written) if channel == CHANNEL else choices
        is_edit = stored.metadata.get("source") in EDITS and stored.parent_config is not None
        stored = await _read(conf[CONFIG_KEY_CHECKPOINTER], stored.parent_config) if is_edit else None
    return choices


async def store_narrowing(choices: Choices) -> None:
    """Store the rights, the limits and the need for approval with which a step is resumed."""
    conf = get_config().get("configurable", {})
    saver, config = conf.get(CONFIG_KEY_CHECKPOINTER), _config_of(conf, _own_namespace(conf))
    if not isinstance(saver, BaseCheckpointSaver) or config is None:
        return
    value = {name: choice for name, choice in choices.items() if name in NARROWED}
    task = str(uuid5(NAMESPACE_OID, json.dumps(value, sort_keys=True)))
    if QUESTIONS.is_current():
        await asyncio.to_thread(saver.put_writes, config, [(CHANNEL, value)], task)
    else:
        await saver.aput_writes(config, [(CHANNEL, value)], task)


async def stored_checkpoint(conf: Mapping[str, Any], namespace: str) -> CheckpointTuple | None:
    """The checkpoint of a namespace from which this step runs, with the writes that are stored with it."""
    saver, config = conf.get(CONFIG_KEY_CHECKPOINTER), _config_of(conf, namespace)
    return await _read(saver, config) if isinstance(saver, BaseCheckpointSaver) and config is not None else None


def _narrower(choices: Choices, stored: Mapping[str, Any]) -> Choices:
    """The choices, narrowed by what an earlier resume has stored; older checkpoints hold no limits."""
    return {
        **choices,
        "approve": choices["approve"] or stored["approve"] is not False,
        "rights": rights_in(choices).narrowed(Visibility.from_json(stored["rights"])).as_json(),
        "row_limit": lower_limit(choices["row_limit"], stored.get("row_limit")),
        "deadline": lower_limit(choices["deadline"], stored.get("deadline")),
    }


def _own_namespace(conf: Mapping[str, Any]) -> str:
    """The namespace of the graph whose node runs, without the node's own part."""
    return str(conf.get(CONFIG_KEY_CHECKPOINT_NS, "")).rpartition("|")[0]


def _config_of(conf: Mapping[str, Any], namespace: str) -> Any:
    """The config of a namespace's checkpoint; None if there is none."""
    places = conf.get(CONFIG_KEY_CHECKPOINT_MAP) or {}
    if namespace not in places:
        return None
    own = {name: each for name, each in conf.items() if not name.startswith("__")}
    place = {CONFIG_KEY_CHECKPOINT_NS: namespace, CONFIG_KEY_CHECKPOINT_ID: places[namespace]}
    return {"configurable": {**own, **place}}


async def _read(saver: BaseCheckpointSaver[Any], config: Any) -> CheckpointTuple | None:
    """A checkpoint. In a call without an event loop the checkpointer may be one that can't be awaited."""
    is_synchronous = QUESTIONS.is_current()
    return await (asyncio.to_thread(saver.get_tuple, config) if is_synchronous else saver.aget_tuple(config))
