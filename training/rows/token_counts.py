"""Counts the tokens of a row. TRL silently cuts rows that are too long, so none may get into a set."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any

from route_sql.training.errors import DatasetError
from route_sql.training.tasks.task import Row, TokenCounter

CHARS_PER_TOKEN = 2.4
"""The minimum over rows of Spider with Qwen2.5's tokenizer; the median is 3.5. A lower number cuts schemas early, a
higher one lets rows through that training cuts."""
TURN_TOKENS = 8
"""Tokens that a chat template adds to each message; most add fewer. One that adds more is measured."""


@dataclass(frozen=True)
class ModelTokens:
    """Counts the tokens of a text with a model's tokenizer."""

    tokenizer: Any
    """From the library tokenizers."""
    template_tokens: int = 0
    """Tokens that the model's chat template adds to a conversation in addition to `TURN_TOKENS` for each message."""

    def __call__(self, text: str) -> int:
        """The number of tokens."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


def estimated_tokens(text: str) -> int:
    """Estimate the tokens of a text without a tokenizer, rather too high than too low."""
    return ceil(len(text) / CHARS_PER_TOKEN)


def load_counter(folder: Path | None) -> TokenCounter:
    """The counter of a model's tokenizer, or the estimate if no folder is named.

    Args:
        folder: Holds `tokenizer.json`, or is that file.

    Raises:
        DatasetError: there is no tokenizer, it can't be read, or the library that reads it is not installed.
    """
    if folder is None:
        return estimated_tokens
    path = folder / "tokenizer.json" if folder.is_dir() else folder
    if not path.is_file():
        raise DatasetError(f"there is no tokenizer.json at {folder}; name the folder of the model")
    try:
        library = import_module("tokenizers")
    except ImportError as error:
        raise DatasetError("a tokenizer needs the package tokenizers: pip install tokenizers") from error
    try:
        plain = ModelTokens(library.Tokenizer.from_file(str(path)))
        return ModelTokens(plain.tokenizer, _template_tokens(path.parent, plain))
    except Exception as error:  # tokenizers raises a bare Exception, and transformers whatever it met
        raise DatasetError(f"the tokenizer {path} can't be read: {error}; name the folder of the model") from error


def _template_tokens(folder: Path, count: TokenCounter) -> int:
    """Measure the chat template where it can be rendered: where transformers is installed and the model has one."""
    if find_spec("transformers") is None or not (folder / "tokenizer_config.json").is_file():
        return 0
    from transformers import AutoTokenizer

    from route_sql.training.tasks.chat_text import chat_text  # needs jinja2, an optional library

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        return 0
    turns = [{"role": role, "content": "SELECT"} for role in ("system", "user", "assistant")]
    text = chat_text(tokenizer, turns, unanswered=False)
    return max(0, count(text) - len(turns) * (count("SELECT") + TURN_TOKENS))


def row_tokens(row: Row, count: TokenCounter) -> int:
    """The tokens of prompt and completion together, with those of the chat template."""
    turns = [*row["prompt"], *row["completion"]]
    template = count.template_tokens if isinstance(count, ModelTokens) else 0
    return sum(count(turn["content"]) + TURN_TOKENS for turn in turns) + template
