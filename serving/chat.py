"""`ChatTGI`: one chat model for text-generation-inference, the embedded server, vLLM and SGLang."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr, SecretStr

from route_sql.serving.completions import Completions, Patience
from route_sql.serving.profile import Wording
from route_sql.serving.replies import StreamedMessage, message_of
from route_sql.serving.sessions import SYNC_CALLS

MOST_STOPS = 4
"""What text-generation-inference and vLLM take."""
_ALWAYS_SENT = ("model", "max_tokens", "temperature", "seed")


class ChatTGI(BaseChatModel):
    """A chat model behind an OpenAI-compatible route.

    What servers disagree on is always sent: without `max_tokens` some run to the end of the context, without
    `temperature` others sample. Calls raise `ServerUnavailable`, `ServerRefused` and `ContextExceeded`.
    """

    base_url: Annotated[str, Field(pattern=r"^https?://")]
    """The server's address, with or without `/v1`."""
    api_key: SecretStr | None = None
    model: str = "tgi"
    """The served model's name; to text-generation-inference an adapter's, and an unknown one is the base."""
    max_tokens: Annotated[int, Field(gt=0)] = 512
    temperature: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 0
    stop: Annotated[list[str] | None, Field(max_length=MOST_STOPS)] = None
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds of silence from the server that end an attempt; the wait in our own queue doesn't count."""
    budget: Annotated[float, Field(gt=0)] = 300.0
    """Seconds for all attempts of a call and the pauses between them."""
    max_retries: Annotated[int, Field(ge=0)] = 5
    """Attempts after the first; only an overload, a broken connection and a time-out are tried again."""
    concurrency: Annotated[int, Field(gt=0)] = 16
    """Requests under way at once on one event loop; the others wait. For the embedded server, its slots."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields of one server's own, such as a grammar, sent as they are."""
    wording: Wording = "instruct"
    """How the served model wants to be spoken to; the graph's agents heed it."""

    _completions: Completions = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Nothing is opened before the first call."""
        key = self.api_key.get_secret_value() if self.api_key else None
        patience = Patience(timeout=self.timeout, budget=self.budget, retries=self.max_retries)
        self._completions = Completions(self.base_url, key, patience, self.concurrency)

    @property
    def _llm_type(self) -> str:
        return "route-sql-chat-tgi"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "model": self.model,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        await self._completions.aclose()

    def close(self) -> None:
        """Close the connections that synchronous calls opened."""
        SYNC_CALLS.run(self._completions.aclose())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        body = self._body(messages, stop, kwargs)
        answer = await self._completions.create(body)
        message = message_of(answer, body["stop"], self.base_url)
        info = {"finish_reason": message.response_metadata.get("finish_reason")}
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        body = self._body(messages, stop, kwargs) | {"stream_options": {"include_usage": True}}
        streamed = StreamedMessage(body["stop"])
        parts = self._completions.stream(body)
        try:
            async for part in parts:
                if text := streamed.add(part):
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
                    if run_manager:
                        await run_manager.on_llm_new_token(text, chunk=chunk)
                    yield chunk
        finally:
            await parts.aclose()  # closes the request at once when the consumer leaves early
        yield streamed.closing()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return SYNC_CALLS.run(self._agenerate(messages, stop, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in SYNC_CALLS.iterate(self._astream(messages, stop, **kwargs)):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _body(self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
        """The request: our settings, then what this call was given."""
        stops = [text for text in (stop if stop is not None else self.stop or []) if text]
        if len(stops) > MOST_STOPS:
            raise ValueError(f"{len(stops)} stops were given, but servers take {MOST_STOPS} at most; leave some out.")
        settings = {key: getattr(self, key) for key in _ALWAYS_SENT}
        extra = self.extra_body | given.pop("extra_body", {})
        wire = convert_to_openai_messages(messages, text_format="string")
        return settings | given | {"messages": wire, "stop": stops, "extra_body": extra}
