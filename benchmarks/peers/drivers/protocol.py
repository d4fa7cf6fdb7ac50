"""Protocol of a driver: settings on the first line, then one line for each question and each reply. JSON only."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Reply = dict[str, Any]
"""`sql` is the last query that was run or would be, None without one; `text` is what a person would read."""
Answer = Callable[[str, str], Reply]
"""Answers a question on the SQLite file of a path."""


def serve(prepare: Callable[[dict[str, str]], Answer]) -> None:
    """Serve questions until stdin ends.

    Args:
        prepare: Makes the peer ready, given `url` (of the server, without `/v1`), `key` and `model`.
    """
    # Peers print their steps, which are not to mix with the replies.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer = prepare(json.loads(sys.stdin.readline()))
    _say(out, {"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        _say(out, _answered(answer, asked["question"], asked["database"]))


def _answered(answer: Answer, question: str, database: str) -> Reply:
    try:
        return {"sql": None, "text": "", "error": None, **answer(question, database)}
    except Exception as error:  # whatever a peer raises is its result
        return {"sql": getattr(error, "sql", None), "text": "", "error": f"{type(error).__name__}: {error}"[:500]}


def _say(out: Any, reply: Reply) -> None:
    out.write(json.dumps(reply, default=str) + "\n")
    out.flush()
