"""Results of tools of the Model Context Protocol, as its SDK gives them: content blocks, and whether it is an error."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from route_sql.graph.extensions.extension import ERROR_CHARS, ExtensionFailed
from route_sql.tools.text import clean

ERROR_MARKS = ("is_error", "isError")
"""Names of the mark in the SDK 2.x, and in JSON."""


def fields_of(result: object) -> Mapping[str, Any]:
    """The fields of an object of the SDK, or of its JSON; empty for anything else."""
    if isinstance(result, BaseModel):
        return dict(result)
    return result if isinstance(result, Mapping) else {}


def texts_of_result(result: object) -> list[Any] | None:
    """The texts in a result of the protocol; None if it is something else.

    Raises:
        ExtensionFailed: it is an error, whose text is not a note.
    """
    fields = fields_of(result)
    marks = [fields[name] for name in ERROR_MARKS if name in fields]
    if not marks or not isinstance(fields.get("content"), list | tuple):
        return None
    blocks = [fields_of(block) for block in fields["content"]]
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    if any(marks):
        raise ExtensionFailed(f"failed: {clean(' '.join(map(str, texts)), ERROR_CHARS)}")
    return texts
