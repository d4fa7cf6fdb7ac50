"""A scripted model that never runs out of replies, for threads that are run again and again."""

from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from route_sql.testing import ScriptedModel, task_of

CORRECTION = "SELECT nam FROM customer"
CONTINUATION = "SELECT name FROM customer"


class EndlessModel(ScriptedModel):
    """Gives the SQL of its list in turn, the last one for ever, and the same reply to each other task."""

    temperature: float = 0.0
    sql: list[str] = []
    asked: int = 0

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        task = task_of(messages)
        texts = {
            "link": '{"customer": ["name"]}',
            "verdict": f"verdict: wrong\n{CORRECTION}",
            "continuation": CONTINUATION,
        }
        if task == "sql":
            texts["sql"] = self.sql[min(self.asked, len(self.sql) - 1)]
            self.asked += 1
        self.enqueue(task, texts[task])
        return super()._generate(messages)
