"""`ChatTGI`: one chat model for text-generation-inference, the embedded server, vLLM and SGLang."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr, SecretStr

from route_sql.serving.client.async_chat import AsyncChatModel
from route_sql.serving.client.bounds import (
    BUDGET_SECONDS,
    ERROR_BYTES,
    RESPONSE_BYTES,
    TIMEOUT_SECONDS,
    TOKEN_CHARS,
    Bounds,
)
from route_sql.serving.client.completion_parts import Part
from route_sql.serving.client.replies import StreamedMessage, message_of
from route_sql.serving.client.served_model import UNNAMED, ServedModel
from route_sql.serving.client.servers import Servers
from route_sql.serving.client.sessions import SYNC_CALLS
from route_sql.serving.profile import PromptWording
from route_sql.tools.loop_thread import QUESTIONS
from route_sql.tools.shared_prompts import asked_database

MOST_STOPS = 4
"""Number of stop texts that text-generation-inference and vLLM accept."""
MAX_TOKENS = 512
CONCURRENCY = 16
MOST_COMPLETIONS = 16
KEY_CHARS = 1_000
"""Characters at the beginning of a prompt by which a server is chosen where no database is named."""
Url = Annotated[str, Field(pattern=r"^https?://")]
_ALWAYS_SENT = ("max_tokens", "temperature", "seed")


class ChatTGI(AsyncChatModel):
    """A chat model on an OpenAI-compatible route.

    Settings on which servers disagree are always sent: without `max_tokens` some run to the end of the context,
    without `temperature` others sample. A call is bounded in seconds, bytes and tokens, however the server behaves.
    A server that refuses the system role gets the system text in the first user turn from then on.
    Of several servers, the same one gets all questions on one database while it works; see `servers`.
    Calls raise `ServerUnavailable`, `ServerRefused` and `ContextExceeded`.
    """

    base_url: Url | Annotated[list[Url], Field(min_length=1)]
    """The server's address, with or without `/v1`; a list for several servers of the same model."""
    api_key: SecretStr | None = None
    model: str | None = None
    """The served model's name, or an adapter's; None takes the first that the server's `/v1/models` names."""
    max_tokens: Annotated[int, Field(gt=0)] = MAX_TOKENS
    """Tokens of an answer; a model that thinks before it answers needs thousands."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 0
    stop: Annotated[list[str] | None, Field(max_length=MOST_STOPS)] = None
    timeout: Annotated[float, Field(gt=0)] = TIMEOUT_SECONDS
    """Seconds of silence from the server that end an attempt; the wait in our own queue doesn't count."""
    budget: Annotated[float, Field(gt=0)] = BUDGET_SECONDS
    """Seconds of a whole call: all attempts, the pauses between them, and the answer to its last byte."""
    max_retries: Annotated[int | None, Field(ge=0)] = None
    """Attempts after the first; only an overload, a broken connection and a time-out are tried again. None is 5, and
    for a server that still starts or is busy (HTTP 503, 429) as many as the budget allows."""
    max_response_bytes: Annotated[int, Field(gt=0)] = RESPONSE_BYTES
    """Bytes of an answer, decompressed; a larger one is refused."""
    max_error_bytes: Annotated[int, Field(gt=0)] = ERROR_BYTES
    """Bytes of an error's text that are read."""
    max_token_chars: Annotated[int, Field(gt=0)] = TOKEN_CHARS
    """An answer is cut at `max_tokens` times as many characters, since some servers ignore `max_tokens`."""
    concurrency: Annotated[int, Field(gt=0)] = CONCURRENCY
    """Requests under way at once on one event loop at each server; the others wait. For the embedded server, its
    slots."""
    logprobs: bool = True
    """Whether to ask for the log-probability of each token, a sign of how sure the model is. A server that refuses the
    field is asked without it from then on."""
    most_completions: Annotated[int, Field(gt=0)] = MOST_COMPLETIONS
    """Completions of one prompt that one request asks for at most. A server that gives fewer is asked for one by one
    from then on."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields of one server's own, such as a grammar, sent as they are."""
    wording: PromptWording | None = None
    """The one of an agent's two prompts that the served model was made for; None decides by the model's name."""
    calibration: dict[str, Any] | None = None
    """Numbers that make a probability of an answer's signals for the served model; None decides by the model's name."""

    _servers: Servers = PrivateAttr()
    _gives_one: bool = PrivateAttr(default=False)
    """Whether the server has given fewer completions than it was asked for."""

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the client; the first call opens a connection."""
        key = self.api_key.get_secret_value() if self.api_key else None
        bounds = Bounds(
            timeout=self.timeout,
            budget=self.budget,
            retries=self.max_retries,
            response_bytes=self.max_response_bytes,
            error_bytes=self.max_error_bytes,
            token_chars=self.max_token_chars,
        )
        urls = [self.base_url] if isinstance(self.base_url, str) else self.base_url
        self._servers = Servers(urls, key, bounds, self.concurrency)

    @property
    def _llm_type(self) -> str:
        return "route-sql-chat-tgi"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        # LangChain's traces need a name, even before the server was asked for it.
        return {"ls_model_name": self.model or UNNAMED, **super()._get_ls_params(stop=stop, **kwargs)}

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "model": self.model,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }

    @property
    def completions_at_once(self) -> int:
        """Completions of one prompt that one request may ask for (`n`)."""
        return 1 if self._gives_one else self.most_completions

    async def served_model(self) -> ServedModel:
        """The name and context that the server gives its model; it is asked until it has answered.

        Raises:
            ServerUnavailable: it can't be reached.
        """
        return await self._servers.served_model()

    async def find_wording(self) -> PromptWording:
        """The wording that was set, or else the one that the model's name says; `instruct` if nothing says any.

        Raises:
            ServerUnavailable: the server can't be reached to ask for the name.
        """
        return self.wording or (await self.served_model()).wording(self.model)

    async def find_calibration(self) -> dict[str, Any] | None:
        """The calibration that was set, or else the packaged one of the model's name; None for any other model.

        Raises:
            ServerUnavailable: the server can't be reached to ask for the name.
        """
        return self.calibration or (await self.served_model()).calibration(self.model)

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        await self._servers.aclose()

    def close(self) -> None:
        """Close the connections that synchronous calls opened, `graph.invoke` included."""
        for calls in (SYNC_CALLS, QUESTIONS):
            calls.run(self._servers.aclose())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        body = self._body(messages, stop, kwargs) | {"stream": False}
        part = await self._servers.create(body, _key_of(messages))
        asked = int(body.get("n") or 1)
        parts = [part, *part.others][:asked]
        self._gives_one = self._gives_one or len(parts) < asked
        return ChatResult(generations=[self._generation(each, body) for each in parts])

    def _generation(self, part: Part, body: dict[str, Any]) -> ChatGeneration:
        message = message_of(part, body.get("stop", ()), alternatives="top_logprobs" in body)
        info = {"finish_reason": message.response_metadata.get("finish_reason")}
        return ChatGeneration(message=message, generation_info=info)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        more = {"stream": True, "stream_options": {"include_usage": True}}
        body = self._body(messages, stop, kwargs) | more
        streamed = StreamedMessage(body.get("stop", ()), alternatives="top_logprobs" in body)
        parts = self._servers.stream(body, _key_of(messages))
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

    def _body(self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
        """The request: our settings, then those of this call."""
        stops = [text for text in (stop if stop is not None else self.stop or []) if text]
        if len(stops) > MOST_STOPS:
            raise ValueError(f"{len(stops)} stops were given, but servers take {MOST_STOPS} at most; leave some out.")
        settings = {key: getattr(self, key) for key in _ALWAYS_SENT} | ({"logprobs": True} if self.logprobs else {})
        extra = self.extra_body | given.pop("extra_body", {})
        wire = convert_to_openai_messages(messages, text_format="string")
        # An empty list is an error to some servers.
        ends = {"stop": stops} if stops else {}
        name = given.pop("model", None) or self.model
        body: dict[str, Any] = settings | given | {"model": name, "messages": wire} | ends | extra
        return body


def _key_of(messages: list[BaseMessage]) -> str:
    """The key by which a server is chosen: calls with the same key share the beginning of their prompts."""
    return asked_database() or "\n".join(str(message.text) for message in messages)[:KEY_CHARS]
