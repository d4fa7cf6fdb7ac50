"""A prompt that is longer than the model's context, in the words of many servers."""

import re
from typing import Any

from route_sql.serving.errors import ContextExceeded

_STATUSES = {400, 413, 422, 500}
_NUMBER = r"(\d[\d,]{0,12})"
_KINDS = re.compile(r"context_length_exceeded|exceed_context_size|context_window_exceeded|prompt_too_long", re.I)
_SUBJECT = r"\b(?:prompt|inputs?|messages?|request|requested|context|tokens?(?: count)?|sequence|conversation)\b"
_EXCEEDS = (
    r"(?:too (?:long|big|large|many)|longer than|exceed(?:s|ed|ing)?\b|greater than|larger than|more than|over the|"
    r"(?:must be|has to be|should be) (?:<|less|at most|smaller|shorter)|must have less|cannot exceed|overflow)"
)
_LIMIT = (
    r"(?:context|maximum (?:model|input|allowed|prompt|sequence|number of tokens)|max_model_len|max_seq_len|"
    r"input tokens|tokens? limit|limit of tokens|KV size|maximum length|length limit)"
)
_SAYS_SO = re.compile(
    r"maximum (?:context|model|input|sequence) (?:length|size)|max_new_tokens`? must be <=|`?inputs`? must have less"
    rf"|(?:prompt|input|inputs|messages|conversation) (?:\([^)]{{1,40}}\) )?(?:is|are|was) too (?:long|big|large)"
    r"|(?:input|prompt) too (?:long|large)"
    rf"|{_SUBJECT}[^.;]{{0,120}}?{_EXCEEDS}[^;]{{0,80}}?{_LIMIT}"
    rf"|{_LIMIT}[^.;]{{0,80}}?{_EXCEEDS}"
    r"|reduce the (?:length|number of tokens)[^.;]{0,40}(?:prompt|message|input)"
    r"|too many (?:input )?tokens",
    re.I,
)
_CONTEXT = re.compile(
    rf"max_new_tokens`? must be <= {_NUMBER}|inputs?`? must have less than {_NUMBER}"
    rf"|context (?:length|size|window)\s?(?:is|of|:)?\s?(?:only )?\(?{_NUMBER}"
    rf"|(?:maximum|allowed|max)(?: \w+){{0,3}}? (?:length|size|limit)\s?(?:is|of|:)?\s?\(?{_NUMBER}"
    rf"|(?:limit|maximum) of {_NUMBER} tokens|tokens? > {_NUMBER}|tokens allowed \({_NUMBER}\)"
    rf"|with {_NUMBER} maximum context|max_(?:seq|model)_len[^\d]{{0,20}}{_NUMBER}|cannot exceed {_NUMBER}",
    re.I,
)
_PROMPT = re.compile(
    rf"Given:? {_NUMBER}|\({_NUMBER} in the messages|has {_NUMBER} input tokens|{_NUMBER} tokens from the input"
    rf"|(?<!maximum )\b(?:(?:input|prompt|request|token|decoder)(?: prompt)?(?: length| token count)?|count)\s\(?"
    rf"(?:length )?(?:of )?{_NUMBER}(?: tokens)?\)?"
    rf"|passed {_NUMBER} input tokens|resulted in {_NUMBER} tokens|contains {_NUMBER} tokens"
    rf"|too long: {_NUMBER} tokens|received {_NUMBER}|first {_NUMBER} tokens|requested {_NUMBER} tokens",
    re.I,
)


def too_long(url: str, status: int, error: Any, said: str) -> ContextExceeded | None:
    """The exception if an error says that the prompt is too long; None if it says anything else."""
    fields = error if isinstance(error, dict) else {}
    named = (fields.get(key) for key in ("type", "code", "error_type"))
    kinds = " ".join(kind[:60] for kind in named if isinstance(kind, str))
    says_so = _KINDS.search(kinds) or _SAYS_SO.search(said) or status == 413
    if status not in _STATUSES or not says_so:
        return None
    prompt = _count(fields.get("n_prompt_tokens")) or _number(_PROMPT.search(said))
    context = _count(fields.get("n_ctx")) or _number(_CONTEXT.search(said))
    return ContextExceeded(
        f"The prompt is longer than the model's context: {said} (server {url}). "
        "Show it fewer tables or shorter notes, or start the server with a larger context.",
        prompt_tokens=prompt,
        context=context,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12 else None


def _number(found: re.Match[str] | None) -> int | None:
    if found is None:
        return None
    return next(int(group.replace(",", "")) for group in found.groups() if group is not None)
