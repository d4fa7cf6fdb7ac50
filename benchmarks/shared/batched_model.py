"""A chat model that answers many questions at once: transformers, base and adapter in one, in batches.

For evaluations of a whole data set where batches pay: on a GPU, or a CPU with matrix instructions for bfloat16.
It is the model that is served, but for rounding: the base's weights as its GGUF file has them, unpacked.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, PrivateAttr

from route_sql.agents.brief import Wording
from route_sql.training.tasks.task import ChatTurn, Role
from route_sql.training.tuning.batched_replies import Decoding, GeneratedReply, Sampler

logger = logging.getLogger(__name__)

ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}
BATCH = Decoding(max_new_tokens=128, rows=64, tokens=50_000)
FEW = 24
"""Conversations on one schema; fewer are not worth a batch of their own."""
PATIENCE = 0.25
"""Seconds that a batch waits for others to join after the last one did."""


@dataclass
class Waiting:
    """A conversation that waits for its reply."""

    prompt: list[ChatTurn]
    drawing: tuple[float, int]
    """Temperature and seed."""
    reply: asyncio.Future[GeneratedReply]

    @property
    def family(self) -> tuple[tuple[str, float, int], str]:
        """Key of a batch: the agent, named in the last line, the sampling, and the schema."""
        schema, _, rest = self.prompt[-1]["content"].partition("\nSCHEMA>>>")
        return (rest.rpartition("\n")[2], *self.drawing), schema


class Batched(BaseChatModel):
    """Replies by a `Sampler`; conversations that come together go through the model together."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    sampler: Sampler
    decoding: Decoding = BATCH
    wording: Wording = "tuned"
    temperature: float = 0.0
    seed: int = 0
    _waiting: list[Waiting] = PrivateAttr(default_factory=list)
    _worker: asyncio.Task[None] | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "batched"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("one question alone is not a batch; use ainvoke")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = [ChatTurn(role=ROLES[message.type], content=str(message.content)) for message in messages]
        drawing = (kwargs.get("temperature", self.temperature), kwargs.get("seed", self.seed))
        one = Waiting(prompt, drawing, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._answer_waiting())
        reply = await one.reply
        asked, written = self.sampler.tokens(prompt, reply.text)
        usage = UsageMetadata(input_tokens=asked, output_tokens=written, total_tokens=asked + written)
        message = AIMessage(reply.text, usage_metadata=usage, response_metadata=metadata(reply))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _answer_waiting(self) -> None:
        while self._waiting:
            seen = 0
            while len(self._waiting) > seen:
                seen = len(self._waiting)
                await asyncio.sleep(PATIENCE)
            together, self._waiting = self._waiting, []
            for group in families(together):
                await self._answer(group)

    async def _answer(self, group: Sequence[Waiting]) -> None:
        try:
            drawn = replace(self.decoding, temperature=group[0].drawing[0], seed=group[0].drawing[1])
            replies = await asyncio.to_thread(self.sampler.replies, [one.prompt for one in group], drawn)
        except BaseException as error:  # whoever waits must hear of it, a cancelled run too
            for one in group:
                if not one.reply.done():
                    one.reply.set_exception(error)
            raise
        logger.info("%d replies: %s", len(group), group[0].family[0])
        for one, reply in zip(group, replies, strict=True):
            if not one.reply.done():
                one.reply.set_result(reply)


async def batched(base: Path, adapter: Path | None) -> Batched:
    """The model of a folder in the layout of transformers, with an adapter if one is given."""
    return Batched(sampler=await asyncio.to_thread(Sampler, base, adapter))


def metadata(reply: GeneratedReply) -> dict[str, Any]:
    """Finish reason and log-probabilities in OpenAI's form."""
    content = [{"logprob": logprob} for logprob in reply.logprobs]
    return {"finish_reason": "stop" if reply.whole else "length", "logprobs": {"content": content}}


def families(together: Sequence[Waiting]) -> list[list[Waiting]]:
    """Conversations of one agent on one schema; those on a schema of which there are few, by agent alone."""
    in_order = sorted(together, key=lambda waiting: waiting.family)
    families = [list(group) for _, group in groupby(in_order, key=lambda waiting: waiting.family)]
    few = [waiting for family in families if len(family) < FEW for waiting in family]
    by_agent = [list(group) for _, group in groupby(few, key=lambda waiting: waiting.family[0])]
    return [family for family in families if len(family) >= FEW] + by_agent
