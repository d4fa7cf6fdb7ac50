"""Results of tools of the Model Context Protocol: as objects of an SDK, or as JSON.

A result has content blocks, perhaps structured content, and perhaps a mark that it is an error.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages.content import KNOWN_BLOCK_TYPES

from route_sql.graph.extensions.extension import ERROR_CHARS, ExtensionFailed
from route_sql.tools.text import clean

ERROR_MARKS = ("is_error", "isError")
"""Names of the mark in the SDK 2.x, and in JSON."""
STRUCTURED = ("structured_content", "structuredContent")
BLOCK_TYPES = KNOWN_BLOCK_TYPES | {"image_url", "resource", "resource_link"}


def texts_of_result(result: object) -> list[str] | None:
    """The texts in a result of the protocol, or in content blocks; None if it is something else.

    Raises:
        ExtensionFailed: it is marked as an error, whose text is not a note, or nothing in it can be read.
    """
    _refuse_error(result)
    blocks, structured = _blocks_of(result), next(iter(_fields(result, *STRUCTURED)), None)
    if blocks is None and structured is None:
        return None
    for part in (*(blocks or ()), structured):
        _refuse_error(part)
    texts = _texts_of_blocks(blocks or ())
    if structured is not None and not any(text.strip() for text in texts):
        return [json.dumps(structured, ensure_ascii=False)]
    if blocks and not texts:
        raise ExtensionFailed(f"failed: nothing in its result can be read as text. {_types_of(blocks)}")
    return texts


def _refuse_error(result: object) -> None:
    """Raise `ExtensionFailed` if an object is marked as an error, whatever else it holds."""
    if any(_fields(result, *ERROR_MARKS)):
        raise ExtensionFailed(f"failed: {clean(_reason_of(result), ERROR_CHARS)}")


def _reason_of(result: object) -> str:
    content = next(iter(_fields(result, "content")), None)
    parts = content if isinstance(content, list | tuple) else [content]
    return " ".join(_texts_of_blocks(parts)) or "its result is marked as an error, without a reason"


def _fields(value: object, *names: str) -> list[Any]:
    """The fields of these names that an object, or its JSON, has and that are not None."""
    found = [value.get(name) if isinstance(value, Mapping) else getattr(value, name, None) for name in names]
    return [each for each in found if each is not None]


def _blocks_of(result: object) -> Sequence[Any] | None:
    """The content blocks of a result, of a list of blocks, or of one block; None if there are none."""
    if isinstance(result, list | tuple):
        return result if _is_content(result) else None
    if _is_block(result):
        return [result]
    content = next(iter(_fields(result, "content")), None)
    # The mark is optional in JSON. Without it the content shows whether a mapping is such a result.
    is_result = isinstance(content, list | tuple) and (_fields(result, *ERROR_MARKS) or _is_content(content))
    return content if is_result else None


def _is_content(parts: Sequence[object]) -> bool:
    """Whether a list is content: blocks, and plain texts between them as in LangChain; it may be empty."""
    others = [part for part in parts if not isinstance(part, str)]
    return all(map(_is_block, others)) and (bool(others) or not parts)


def _is_block(value: object) -> bool:
    return any(isinstance(kind, str) and kind in BLOCK_TYPES for kind in _fields(value, "type"))


def _texts_of_blocks(blocks: Sequence[object]) -> list[str]:
    return [str(text) for block in blocks for text in _text_in(block) if isinstance(text, str)]


def _text_in(block: object) -> list[Any]:
    """The text of a block, or of the resource in it; empty for an image, a link and the like."""
    if isinstance(block, str):
        return [block]
    return [text for holder in (block, *_fields(block, "resource")) for text in _fields(holder, "text")]


def _types_of(blocks: Sequence[object]) -> str:
    kinds = sorted({str(kind) for block in blocks for kind in _fields(block, "type")})
    return clean(f"Its blocks are of type {', '.join(kinds)}.", ERROR_CHARS)
