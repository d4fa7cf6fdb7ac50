"""A chat model whose server is started by its first call: for a host such as Studio that only imports a graph."""

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, PrivateAttr

from route_sql.serving.client.async_chat import AsyncChatModel
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.profile import PromptWording
from route_sql.serving.store.model_store import ModelStore


class ChatOnDemand(AsyncChatModel):
    """The embedded model as a chat model that costs nothing until it is asked.

    The weights are fetched and the server is started once; it ends with the process. A start that failed is tried again
    by the next call. Raises what `ModelStore.resolve`, `EmbeddedServer.start` and `ChatTGI` raise.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name_or_path: str
    """A name of the manifest, the path of a GGUF file, or a folder that `train export` wrote."""
    store: ModelStore
    max_tokens: int | None = None
    """Tokens of a reply at most; None leaves the model's own limit."""

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _starting: Future[ChatTGI] | None = PrivateAttr(default=None)
    _chat: ChatTGI | None = PrivateAttr(default=None)

    @property
    def wording(self) -> PromptWording:
        """Wording of the model's prompts, from its profile; nothing is fetched."""
        return self.store.profile(self.name_or_path).wording

    @property
    def calibration(self) -> dict[str, Any] | None:
        """Numbers that make a probability of an answer's signals, from the model's profile; nothing is fetched."""
        return self.store.profile(self.name_or_path).calibration

    @property
    def temperature(self) -> float:
        """Temperature of the model's replies, from its profile; a caller may ask for another one."""
        return self.store.profile(self.name_or_path).temperature

    @property
    def seed(self) -> int:
        """Seed of replies at a temperature; a caller may ask for another one."""
        return self._chat.seed if self._chat is not None else 0

    @property
    def is_loaded(self) -> bool:
        """Whether the server runs; the call that starts it takes longer."""
        return self._chat is not None

    @property
    def completions_at_once(self) -> int:
        """Completions of one prompt that one request may ask for; 1 until the server runs."""
        return self._chat.completions_at_once if self._chat is not None else 1

    @property
    def _llm_type(self) -> str:
        return "route-sql-chat-on-demand"

    def start(self) -> ChatTGI:
        """The client of the running server; blocks while it is fetched and started."""
        return self._chat or self._shared_start().result()

    async def _started(self) -> ChatTGI:
        if self._chat is not None:
            return self._chat
        return await asyncio.wrap_future(self._shared_start())

    def _shared_start(self) -> Future[ChatTGI]:
        """The start that all calls wait for, in one thread: one for each call would fill the pool that others need."""
        with self._lock:
            if self._starting is None or (self._starting.done() and self._chat is None):
                self._starting = Future()
                self._starting.set_running_or_notify_cancel()  # from here on, a cancelled call can't cancel it
                threading.Thread(target=self._fill, args=(self._starting,), daemon=True).start()
            return self._starting

    def _fill(self, starting: Future[ChatTGI]) -> None:
        try:
            starting.set_result(self._serve())
        except BaseException as error:  # whatever it is, the callers wait for it
            starting.set_exception(error)

    def _serve(self) -> ChatTGI:
        server = EmbeddedServer(self.store.resolve(self.name_or_path))
        atexit.register(server.stop)  # the process may end while the model loads
        try:
            server.start()
            self._chat = server.chat_model(**({"max_tokens": self.max_tokens} if self.max_tokens else {}))
        except BaseException:  # a start that was interrupted leaves a child process too; the error is raised again
            server.stop()
            atexit.unregister(server.stop)
            raise
        return self._chat

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chat = await self._started()
        return await chat._agenerate(messages, stop, run_manager, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        chat = await self._started()
        async for chunk in chat._astream(messages, stop, run_manager, **kwargs):
            yield chunk
