"""A scripted chat model: tests of your own tools and checks drive the real graph with it, without a server."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

PromptTask = Literal["sql", "link", "verdict", "continuation"]
"""Task of a prompt: SQL, the tables and columns of a question, a verdict on SQL, or the rest of a query."""

WRITTEN_TOKENS = 3
"""Tokens that a reply counts as."""

# Words by which each task's prompts are known, in both wordings.
MARKS: dict[PromptTask, tuple[str, ...]] = {
    "sql": ("Task: write one", "Task: text to SQL"),
    "link": ("Task: name the tables", "Task: schema linking"),
    "verdict": ("Task: judge this SQL", "Task: this SQL does not run", "Task: noise correction"),
    "continuation": ("Task: this is the beginning", "Task: continuation writing"),
}


def _no_replies() -> dict[PromptTask, list[str]]:
    return defaultdict(list)


class ScriptedModel(BaseChatModel):
    """A chat model that replies from a script and fails on a call that the script does not expect.

    Replies are queued by task, since agents may ask at the same time. Each call counts 10 prompt tokens, of which 4
    are cached, and 3 written tokens.

    Raises (when called):
        AssertionError: no reply is left for the task of the prompt, and there is no `otherwise`.
    """

    otherwise: Callable[[PromptTask, str], str] | None = None
    """Makes a reply of the task and the last message where none is queued; without it such a call fails."""
    logprob: float | None = None
    """Log-probability of each written token; None for a model that gives none."""
    _replies: dict[PromptTask, list[str]] = PrivateAttr(default_factory=_no_replies)
    history: list[tuple[PromptTask, list[BaseMessage]]] = []
    """Every call so far: its task and its messages."""

    def enqueue(self, task: PromptTask, *replies: str) -> "ScriptedModel":
        """Queue replies for a task, in the order in which they will be given."""
        self._replies[task].extend(replies)
        return self

    @property
    def leftover(self) -> dict[PromptTask, list[str]]:
        """The replies that are left, by task; a test should end with none."""
        return {task: replies for task, replies in self._replies.items() if replies}

    @property
    def tasks(self) -> list[PromptTask]:
        """The tasks of the calls so far, in order."""
        return [task for task, _ in self.history]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        task = task_of(messages)
        self.history.append((task, messages))
        text = self._reply(task, str(messages[-1].content))
        usage = UsageMetadata(
            input_tokens=10,
            output_tokens=WRITTEN_TOKENS,
            total_tokens=10 + WRITTEN_TOKENS,
            input_token_details={"cache_read": 4},
        )
        message = AIMessage(text, usage_metadata=usage, response_metadata=self._metadata())
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, **kwargs)  # at once, in no thread

    def _metadata(self) -> dict[str, Any]:
        if self.logprob is None:
            return {}
        return {"logprobs": {"content": [{"token": "x", "logprob": self.logprob}] * WRITTEN_TOKENS}}

    def _reply(self, task: PromptTask, prompt: str) -> str:
        if self._replies[task]:
            return self._replies[task].pop(0)
        assert self.otherwise is not None, f"unexpected call of the task {task}"
        return self.otherwise(task, prompt)


def task_of(messages: list[BaseMessage]) -> PromptTask:
    """The task that a prompt of the graph asks for.

    Raises:
        AssertionError: the last message is not a prompt of the graph.
    """
    last = str(messages[-1].content)
    found: list[PromptTask] = [task for task, marks in MARKS.items() if any(mark in last for mark in marks)]
    assert len(found) == 1, f"one task expected, found {found}"
    return found[0]
