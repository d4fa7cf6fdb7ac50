"""Checks a merged model: every server reads its files alike, and it answers as base and adapter do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from langchain_core.messages import convert_to_openai_messages

from route_sql.agents import generator
from route_sql.agents.brief import Brief
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.training.errors import TrainingError
from route_sql.training.export.merged_layout import require_one_reading
from route_sql.training.tasks.chat_text import chat_text
from route_sql.training.tuning.base_model import load_base, load_tokenizer, with_adapter

_SINGERS = Table("singer", (Column("singer_id", "INTEGER"), Column("name", "TEXT"), Column("age", "INTEGER")))
QUESTION = Brief("How many singers are older than 30?", Schema("sqlite", (_SINGERS,)), wording="tuned")
"""The fixed question of the check."""
ANSWER_TOKENS = 32
TOP = 20
"""The number of tokens compared at each position: the merged model's likeliest."""
_SLACK = 0.1
"""The most nats by which rounding to 16 bits changes log-probabilities."""


@dataclass(frozen=True)
class MergedAnswer:
    """The merged model's answer to the fixed question, and how far its log-probabilities are from the parts'."""

    text: str
    difference: float
    """Difference from base and adapter, in nats."""
    control: float
    """Difference from the base alone, in nats."""

    def __str__(self) -> str:
        """The answer and the differences."""
        return (
            f"read alike by transformers 4 and 5, answers {self.text[:200]!r}; "
            f"against base and adapter {self.difference:.4f}, against the base alone {self.control:.4f} nats"
        )

    def require(self) -> None:
        """Refuse a merged model that isn't base and adapter.

        Raises:
            TrainingError: it computes something else.
        """
        if self.difference > max(_SLACK, self.control / 2):
            raise TrainingError(f"the merged model does not compute what was trained: {self}; don't use it")


def check_merged(folder: Path, adapter: Path, base: Path) -> MergedAnswer:
    """Read a merged folder as servers do, ask the model one fixed question, and compare it with its parts.

    Raises:
        TrainingError: versions of transformers read other settings from it, or it computes something else.
    """
    require_one_reading(folder)
    tokenizer, merged = load_tokenizer(folder), load_base(folder)
    messages = convert_to_openai_messages(generator.messages(QUESTION))
    text = chat_text(tokenizer, messages, unanswered=True)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    answer = _answer(merged, prompt)
    ids = [*prompt, *answer]
    ours = _log_probabilities(merged, ids, len(answer))
    parts = with_adapter(load_base(base), adapter)
    difference = _distance(ours, _log_probabilities(parts, ids, len(answer)))
    with parts.disable_adapter():
        control = _distance(ours, _log_probabilities(parts, ids, len(answer)))
    found = MergedAnswer(tokenizer.decode(answer, skip_special_tokens=True), difference, control)
    found.require()
    return found


def _answer(model: Any, prompt: list[int]) -> list[int]:
    with torch.inference_mode():
        ids = torch.tensor([prompt])
        written = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=ANSWER_TOKENS, do_sample=False
        )
    answer: list[int] = written[0, len(prompt) :].tolist()
    return answer


def _log_probabilities(model: Any, ids: list[int], positions: int) -> Any:
    """Log-probabilities of every token at the answer's positions."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids]), logits_to_keep=positions + 1, use_cache=False).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1)


def _distance(ours: Any, theirs: Any) -> float:
    """The mean absolute difference at our likeliest tokens."""
    likeliest = ours.topk(TOP, dim=-1)
    return float((likeliest.values - theirs.gather(-1, likeliest.indices)).abs().mean())
