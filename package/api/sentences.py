"""Messages for bodies and parameters that can't be used."""

from collections.abc import Sequence
from typing import Any

from route_sql.tools.text import clean

SHOWN_CHARS = 60


def validation_sentence(errors: Sequence[Any]) -> str:
    """The first thing that is wrong with a request, in one sentence."""
    if not errors:
        return "The request can't be read; /openapi.json says what it may hold."
    first = errors[0]
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    name = f"The field {clean(where, SHOWN_CHARS)}" if where else "The body"
    match first.get("type"):
        case "json_invalid":
            return "The body is not valid JSON."
        case "missing":
            return f"{name} is missing; /openapi.json says what the body holds."
        case "string_pattern_mismatch":
            return f"{name} can't be used: it is blank, or has a form that /openapi.json does not allow."
        case "extra_forbidden":
            return f"{name} is unknown; /openapi.json says what the body may hold."
    said = clean(str(first.get("msg", "")), 400).removeprefix("Value error, ")
    return f"{name} can't be used: {said[:1].lower()}{said[1:]}."
