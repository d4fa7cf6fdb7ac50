"""A scripted chat model that calls tools, as the model of somebody else's agent."""

from typing import Any, Self

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class ToolCaller(BaseChatModel):
    """Replies from a script: each reply is a list of calls (name and arguments), or a text."""

    script: list[Any]

    @classmethod
    def of(cls, *replies: Any) -> Self:
        """A model that gives these replies, one a call."""
        return cls(script=[*replies])

    @property
    def _llm_type(self) -> str:
        return "tool-caller"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        """Take the tools; the script knows their names."""
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        reply = self.script.pop(0)
        if isinstance(reply, str):
            message = AIMessage(reply)
        else:
            calls = [{"name": name, "args": args, "id": str(place)} for place, (name, args) in enumerate(reply)]
            message = AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])
