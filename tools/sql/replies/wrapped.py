"""SQL in JSON fields, in tags and in inline code."""

import json
import re
from collections.abc import Iterator

_FIELD = re.compile(r'"([\w ]+)"\s*:\s*"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL)
_TAG = re.compile(
    r"<(?P<tag>sql|sql_?query|query|code|answer|final_answer|final_sql)>(?P<body>.*?)(?:</(?P=tag)>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_TICK = re.compile(r"(?P<closing>(?<=[\w)'\"\];`])`(?!\w))|`")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def fields(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each JSON field with a string, even an unterminated one."""
    return ((field[1], _unescaped(field[2])) for field in _FIELD.finditer(text))


def tagged(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each tag that models use for SQL, such as `<sql>`."""
    return ((match["tag"], match["body"]) for match in _TAG.finditer(text))


def until_closing_tick(text: str) -> str:
    """Cut a text that follows a backtick at the closing one; it may hold names in backticks."""
    ticks = (tick for place, tick in enumerate(_TICK.finditer(text)) if place % 2 == 0 and tick["closing"])
    end = next(ticks, None)
    return text[: end.start()] if end else text


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:  # models also write escapes that are not JSON, such as \'
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text)
