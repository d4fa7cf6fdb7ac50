"""A model's own replies to many conversations at once, by batched generation with transformers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from route_sql.training.tasks.chat_text import chat_text
from route_sql.training.tasks.task import ChatTurn
from route_sql.training.tuning import grouped_attention
from route_sql.training.tuning.base_model import load_base, load_tokenizer, with_adapter

OnReplies = Callable[[int, int], None]
"""Called with the conversations done and all conversations."""

SHARED_TOKENS = 32
"""The shortest shared prefix that gets a pass of its own."""
STILL_GOING = 0.7
"""Finished rows leave a batch once fewer than this share of its rows are still generating."""
SPARE_TOKENS = 32
"""A reply may be twice as long as expected plus this many tokens; longer ones are not answers and are cut."""


@dataclass(frozen=True)
class Decoding:
    """Settings of generation; a temperature of 0 takes the likeliest token each time.

    A batch has at most `rows` conversations and `tokens` tokens of prompts and replies, padding included.
    """

    temperature: float = 0.0
    max_new_tokens: int = 256
    rows: int = 512
    tokens: int = 300_000
    seed: int = 0


@dataclass(frozen=True)
class GeneratedReply:
    """The text of a reply; `whole` is False if it was cut at its maximum length."""

    text: str
    whole: bool
    logprobs: tuple[float, ...] = ()
    """Natural logarithm of the probability of each token, at a temperature of 1, its end included."""


class Sampler:
    """A model that generates replies: the base, or base and adapter merged."""

    def __init__(self, base: Path, adapter: Path | None = None, *, dtype: torch.dtype | None = None) -> None:
        """Load a model in transformers' layout, and an adapter that PEFT saved.

        Without a `dtype` it computes in bfloat16 where the machine has instructions for that, else in 32 bits.
        """
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        chosen = dtype or (torch.bfloat16 if self._device == "cuda" or _has_bf16_instructions() else torch.float32)
        self._tokenizer: Any = load_tokenizer(base)
        self._tokenizer.padding_side = "left"
        attention = "sdpa" if self._device == "cuda" else grouped_attention.NAME
        model: Any = load_base(base, attention=attention).to(self._device)
        if adapter is not None:
            # Merged in full precision, since a small change is lost when it is added to a rounded weight.
            model = with_adapter(model, adapter).merge_and_unload()
        self._model = model.to(chosen).eval()
        # The last tokens of a batch are not contiguous; torch would multiply each with its own copy of the head.
        self._model.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0].contiguous(),))

    def replies(
        self,
        prompts: Sequence[Sequence[ChatTurn]],
        decoding: Decoding,
        *,
        expected: Sequence[str] | None = None,
        progress: OnReplies | None = None,
    ) -> list[GeneratedReply]:
        """The reply to each conversation, in order.

        Args:
            prompts: The conversations, which end with the user's turn.
            decoding: Settings of generation and the size of a batch.
            expected: The expected replies. Only their lengths are used: conversations with replies of about the same
                length share a batch, and a reply far longer than the longest of its batch is cut.
            progress: Called after every batch.
        """
        texts = [_rendered(self._tokenizer, prompt) for prompt in prompts]
        lengths = self._lengths(texts)
        wanted = self._lengths(expected) if expected else [decoding.max_new_tokens] * len(texts)
        found: dict[int, GeneratedReply] = {}
        for number, batch in enumerate(plan_batches(lengths, wanted, decoding)):
            torch.manual_seed(decoding.seed + number)
            bound = reply_bound([wanted[place] for place in batch], decoding)
            replies = self._generate([texts[place] for place in batch], decoding, bound)
            found.update(zip(batch, replies, strict=True))
            if progress:
                progress(len(found), len(texts))
        return [found[place] for place in range(len(texts))]

    def tokens(self, prompt: Sequence[ChatTurn], reply: str) -> tuple[int, int]:
        """The numbers of tokens of a conversation and of a reply to it."""
        asked, written = self._lengths([_rendered(self._tokenizer, prompt), reply])
        return asked, written

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        if not texts:  # transformers fails on none
            return []
        ids = self._tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return [len(row) for row in ids]

    def _generate(self, texts: Sequence[str], decoding: Decoding, bound: int) -> list[GeneratedReply]:
        try:
            return self._batch(texts, decoding, bound)
        except torch.cuda.OutOfMemoryError:
            if len(texts) == 1:
                raise
        torch.cuda.empty_cache()
        half = len(texts) // 2
        return self._generate(texts[:half], decoding, bound) + self._generate(texts[half:], decoding, bound)

    def _batch(self, texts: Sequence[str], decoding: Decoding, bound: int) -> list[GeneratedReply]:
        rows = self._tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
        shared = shared_prefix(rows)
        inputs = self._tokenizer.pad({"input_ids": [row[shared:] for row in rows]}, padding=True, return_tensors="pt")
        prefix = torch.tensor([rows[0][:shared]], dtype=torch.long).expand(len(rows), -1)
        given = torch.cat([prefix, inputs["input_ids"]], 1).to(self._device)
        mask = torch.cat([torch.ones_like(prefix), inputs["attention_mask"]], 1).to(self._device)
        with torch.inference_mode():
            cache = self._computed(given[:1, :shared], len(rows)) if shared else None
            return [self._reply(written) for written in self._written(given, mask, cache, decoding, bound)]

    def _written(
        self, given: torch.Tensor, mask: torch.Tensor, cache: Any, decoding: Decoding, bound: int
    ) -> list["_Written"]:
        """The tokens of each reply, its end included. Finished rows leave the batch once they are many."""
        replies = [_Written() for _ in given]
        rows = torch.arange(len(given))
        fresh = given[:, cache.get_seq_length() :] if cache else given
        while True:
            places = (mask.cumsum(1) - 1).clamp(min=0)[:, -fresh.shape[1] :]
            out = self._model(
                fresh, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            cache, tokens = out.past_key_values, _next(out.logits[:, -1], decoding.temperature)
            scores = _logprobs(out.logits[:, -1], tokens)
            for row, token, score in zip(rows.tolist(), tokens.tolist(), scores, strict=True):
                if not self._ended(replies[row].tokens, bound):
                    replies[row].add(token, score)
            going = torch.tensor([not self._ended(replies[row].tokens, bound) for row in rows.tolist()])
            if not going.any():
                return replies
            if going.float().mean() < STILL_GOING:
                kept = going.nonzero()[:, 0]
                rows, kept = rows[kept], kept.to(mask.device)
                mask, tokens = mask[kept], tokens[kept]
                cache.batch_select_indices(kept)
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
            fresh = tokens[:, None]

    def _ended(self, reply: Sequence[int], bound: int) -> bool:
        return len(reply) == bound or reply[-1:] == [self._tokenizer.eos_token_id]

    def _computed(self, prefix: torch.Tensor, rows: int) -> Any:
        """The keys and values of a prefix, for every row."""
        cache = self._model(prefix, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(rows)
        return cache

    def _reply(self, written: "_Written") -> GeneratedReply:
        end, ids = self._tokenizer.eos_token_id, written.tokens
        whole = end in ids
        kept = ids[: ids.index(end)] if whole else ids
        return GeneratedReply(self._tokenizer.decode(kept, skip_special_tokens=True), whole, tuple(written.logprobs))


@dataclass
class _Written:
    """The tokens of a reply and their log-probabilities."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def add(self, token: int, logprob: float) -> None:
        self.tokens.append(token)
        self.logprobs.append(round(logprob, 4))


def _has_bf16_instructions() -> bool:
    """Whether the processor multiplies in bfloat16: three to four times as fast as in 32 bits."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def plan_batches(lengths: Sequence[int], wanted: Sequence[int], decoding: Decoding) -> list[list[int]]:
    """Plan the batches of conversations, given by their indices; the longest prompts come first.

    A batch costs as much as its longest prompt and longest reply, so prompts of similar length, by powers of two, are
    batched together, and among them those with replies of similar length.

    Args:
        lengths: Tokens of each prompt.
        wanted: Tokens that each reply is expected to have.
        decoding: The limits of a batch; a conversation beyond them is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda at: (-lengths[at].bit_length(), -wanted[at], -lengths[at], at))
    batches: list[list[int]] = []
    for place in order:
        if batches and _fits([*batches[-1], place], lengths, wanted, decoding):
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def _fits(batch: Sequence[int], lengths: Sequence[int], wanted: Sequence[int], decoding: Decoding) -> bool:
    if len(batch) > decoding.rows or len({lengths[at].bit_length() for at in batch}) > 1:
        return False
    longest = max(lengths[at] for at in batch) + reply_bound([wanted[at] for at in batch], decoding)
    return len(batch) * longest <= decoding.tokens


def shared_prefix(rows: Sequence[Sequence[int]]) -> int:
    """The number of tokens that all rows share at their beginning; 0 if too few to compute separately.

    The last token of a row is never shared.
    """
    shortest = min(map(len, rows)) - 1
    same = next((at for at in range(shortest) if len({row[at] for row in rows}) > 1), shortest)
    return same if len(rows) > 1 and same >= SHARED_TOKENS else 0


def reply_bound(wanted: Sequence[int], decoding: Decoding) -> int:
    """The most tokens that a reply of a batch may have."""
    return min(decoding.max_new_tokens, 2 * max(wanted, default=0) + SPARE_TOKENS)


def _next(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """The next token of each row."""
    if not temperature:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits.float() / temperature, -1), 1)[:, 0]


def _logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> list[float]:
    """The log-probability of the chosen token of each row."""
    exact = logits.float()
    chosen: list[float] = (exact.gather(1, tokens[:, None])[:, 0] - exact.logsumexp(-1)).tolist()
    return chosen


def _rendered(tokenizer: Any, prompt: Sequence[ChatTurn]) -> str:
    return chat_text(tokenizer, prompt, unanswered=True)
