"""Rows as token ids: prompt and reply in the model's own chat template, with the reply alone supervised.

The ids are the same as at inference: the prompt up to the beginning of the reply, then the reply up to the end of its
turn. TRL would also supervise the template's text after that end, and would cut a row that is too long.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, concatenate_datasets
from transformers import PreTrainedTokenizerBase

from route_sql.training.errors import TrainingError
from route_sql.training.tasks.chat_text import chat_text

IGNORED = -100
"""The label of a token that is not learned."""
_CHUNK = 1000
_FEATURES = Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))})


def encode_file(file: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """The rows of a JSON Lines file as `input_ids` and `labels`, in order.

    Raises:
        TrainingError: a line is not a row, a row is longer than `max_length`, or the chat template does not suit.
    """
    parts = [Dataset.from_dict(encoded, features=_FEATURES) for _, encoded in encoded_rows(file, tokenizer, max_length)]
    return concatenate_datasets(parts) if parts else Dataset.from_dict({"input_ids": [], "labels": []}, _FEATURES)


def encoded_rows(
    file: Path, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[tuple[list[dict[str, Any]], dict[str, list[list[int]]]]]:
    """The rows of a JSON Lines file, some at a time, with their token ids and labels.

    Raises:
        TrainingError: a line is not a row, a row is longer than `max_length`, or the chat template does not suit.
    """
    with file.open(encoding="utf-8") as lines:
        for place, chunk in enumerate(iter(lambda: list(islice(lines, _CHUNK)), [])):
            rows = list(_parsed(chunk, file, place * _CHUNK))
            encoded = encode([row["prompt"] for row in rows], [row["completion"] for row in rows], tokenizer)
            _refuse_long(encoded["input_ids"], file, place * _CHUNK, max_length)
            yield rows, encoded


def encode(
    prompts: Sequence[list[dict[str, str]]],
    completions: Sequence[list[dict[str, str]]],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, list[list[int]]]:
    """Token ids and labels of conversations; the label of a prompt's token is -100.

    Raises:
        TrainingError: the tokenizer has no chat template, or one that can't render a conversation, or renders a prompt
            differently once it is answered.
    """
    if not tokenizer.chat_template:
        raise TrainingError("the base has no chat template; take an instruction-tuned model")
    opened = [chat_text(tokenizer, prompt, unanswered=True) for prompt in prompts]
    pairs = zip(prompts, completions, strict=True)
    whole = [chat_text(tokenizer, [*prompt, *reply], unanswered=False) for prompt, reply in pairs]
    replies = [_reply(begun, text) for begun, text in zip(opened, whole, strict=True)]
    prompt_ids, reply_ids = _ids(tokenizer, opened), _ids(tokenizer, replies)
    return {
        "input_ids": [prompt + reply for prompt, reply in zip(prompt_ids, reply_ids, strict=True)],
        "labels": [[IGNORED] * len(prompt) + reply for prompt, reply in zip(prompt_ids, reply_ids, strict=True)],
    }


def _reply(opened: str, whole: str) -> str:
    if not whole.startswith(opened):
        raise TrainingError(
            "the base's chat template renders a prompt differently once it is answered; it can't be used"
        )
    # The template's own line break after the end of the turn is never generated.
    return whole[len(opened) :].rstrip()


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    # The template has written the special tokens already.
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return ids


def _parsed(lines: Sequence[str], file: Path, before: int) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, before + 1):
        try:
            row = json.loads(line)
            yield {**row, "prompt": row["prompt"], "completion": row["completion"]}
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{file}, line {number}, is not a row with prompt and completion; make the data again"
            ) from error


def _refuse_long(rows: Sequence[list[int]], file: Path, before: int, max_length: int) -> None:
    long = [(number, len(ids)) for number, ids in enumerate(rows, before + 1) if len(ids) > max_length]
    if long:
        number, length = long[0]
        raise TrainingError(
            f"{file}, line {number}, has {length} tokens, more than max_length, {max_length}; make the data with "
            f"--max-tokens {max_length} and --tokenizer, so that the schema is cut and not the answer"
        )
