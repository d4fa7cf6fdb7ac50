"""A chat model that answers at once, for measuring everything but the model."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Instant(BaseChatModel):
    """Gives its replies in turns, whatever it is asked.

    `{n}` in a reply becomes the number of the call, from 1: with it no reply comes twice, and no cache of parsed
    queries makes the work look small.
    """

    replies: tuple[str, ...]
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.calls += 1
        reply = self.replies[self.calls % len(self.replies)].format(n=self.calls)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)
