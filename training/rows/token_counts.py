"""Counts the tokens of a row. TRL silently cuts rows that are too long, so none may get into a set."""

from importlib import import_module
from math import ceil
from pathlib import Path

from route_sql.training.errors import DatasetError
from route_sql.training.tasks.task import Row, TokenCounter

CHARS_PER_TOKEN = 2.4
"""The minimum over rows of Spider with Qwen2.5's tokenizer; the median is 3.5. A lower number cuts schemas early, a
higher one lets rows through that training cuts."""
TURN_TOKENS = 8
"""The most tokens that a chat template adds to each message."""


def estimated_tokens(text: str) -> int:
    """Estimate the tokens of a text without a tokenizer, rather too high than too low."""
    return ceil(len(text) / CHARS_PER_TOKEN)


def load_counter(folder: Path | None) -> TokenCounter:
    """The counter of a model's tokenizer, or the estimate if no folder is named.

    Args:
        folder: Holds `tokenizer.json`, or is that file.

    Raises:
        DatasetError: there is no tokenizer, or the library that reads it is not installed.
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
    tokenizer = library.Tokenizer.from_file(str(path))

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


def row_tokens(row: Row, count: TokenCounter) -> int:
    """The tokens of prompt and completion together, with those of the chat template."""
    return sum(count(turn["content"]) + TURN_TOKENS for turn in [*row["prompt"], *row["completion"]])
