"""A chat model that answers from a script and complains of every call that nobody expected."""

from collections import defaultdict
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

Task = Literal["sql", "link", "verdict", "continuation"]

# What is distinctive of each task's last lines, in both wordings.
_MARKS: dict[Task, tuple[str, ...]] = {
    "sql": ("Task: write one", "Task: text to SQL"),
    "link": ("Task: name the tables", "Task: schema linking"),
    "verdict": ("Task: judge this SQL", "Task: this SQL does not run", "Task: noise correction"),
    "continuation": ("Task: this is the beginning", "Task: continuation writing"),
}


def _no_replies() -> dict[Task, list[str]]:
    return defaultdict(list)


class ScriptedModel(BaseChatModel):
    """Replies are lined up by task, since agents may ask side by side."""

    _replies: dict[Task, list[str]] = PrivateAttr(default_factory=_no_replies)
    history: list[tuple[Task, list[BaseMessage]]] = []

    def enqueue(self, task: Task, *replies: str) -> "ScriptedModel":
        self._replies[task].extend(replies)
        return self

    @property
    def leftover(self) -> dict[Task, list[str]]:
        return {task: replies for task, replies in self._replies.items() if replies}

    @property
    def tasks(self) -> list[Task]:
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
        assert self._replies[task], f"unexpected call of the task {task}"
        text = self._replies[task].pop(0)
        usage = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13, "input_token_details": {"cache_read": 4}}
        message = AIMessage(text, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def task_of(messages: list[BaseMessage]) -> Task:
    last = str(messages[-1].content)
    found: list[Task] = [task for task, marks in _MARKS.items() if any(mark in last for mark in marks)]
    assert len(found) == 1, f"one task expected, found {found}"
    return found[0]
