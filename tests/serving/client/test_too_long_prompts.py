"""Prompts that are too long for the model, however its server says so."""

from typing import Any

import pytest
from support.chat_calls import chat, gathered
from support.chat_stub import ChatStub, failure, streamed

from route_sql.serving.errors import ContextExceeded, ServerRefused

TOO_LONG = "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens and 512 `max_new_tokens`"


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": f"Input validation error: {TOO_LONG}", "http_status_code": 422}},
        {"error": f"Input validation error: {TOO_LONG}", "error_type": "validation"},
        {"error": {"message": "no", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192}},
        {"error": {"message": TOO_LONG, "type": "BadRequest", "code": 400}},
        {"object": "error", "message": TOO_LONG, "type": "BadRequestError", "code": 400},
    ],
)
async def test_a_prompt_that_is_too_long_in_a_stream(stub: ChatStub, event: dict[str, Any]) -> None:
    stub.enqueue(streamed(event))
    with pytest.raises(ContextExceeded) as caught:
        await gathered(chat(stub))
    assert (caught.value.prompt_tokens, caught.value.context) == (9000, 8192)


@pytest.mark.parametrize(
    "said",
    [
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that it is not.",
        "You passed 9000 input tokens and requested 512 output tokens. However, the model's context length is only "
        "8192 tokens, resulting in a maximum input length of 7680 tokens. Please reduce the length of the prompt.",
        "Input length (9000) exceeds model's maximum context length (8192).",
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of "
        "9512 tokens: 9000 tokens from the input messages and 512 tokens for the completion.",
        "Input length (9000 tokens) exceeds the maximum allowed length (8192 tokens). Use a shorter input.",
        "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "prompt is too long: 9000 tokens > 8192 maximum",
        "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length",
        "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
        "Input tokens exceed the configured limit of 8,192 tokens. Your messages resulted in 9,000 tokens.",
    ],
)
async def test_a_prompt_that_is_too_long_in_many_words(stub: ChatStub, said: str) -> None:
    stub.enqueue(failure(400, {"error": {"message": said}}))
    with pytest.raises(ContextExceeded) as caught:
        await chat(stub).ainvoke("hi")
    assert (caught.value.prompt_tokens, caught.value.context) == (9000, 8192)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "the request exceeds the available context size, try increasing it"),
        (400, "Input is too long for requested model."),
        (413, "length limit exceeded"),
        (500, "the input length exceeds the context length"),
        (500, "input prompt is too big compared to KV size"),
    ],
)
async def test_a_prompt_that_is_too_long_without_numbers(stub: ChatStub, status: int, said: str) -> None:
    stub.enqueue(failure(status, {"error": said}))
    with pytest.raises(ContextExceeded):
        await chat(stub).ainvoke("hi")


@pytest.mark.parametrize(
    "said",
    [
        "`stop` supports up to 4 stop sequences. Given: 5",
        "max_tokens (100000) exceeds the maximum of 4096",
        "temperature must be less than 2",
        "CUDA out of memory while allocating more than 2 GiB for tokens",
        "Invalid 'stop': array too long. Expected an array with maximum length 4, but got one with length 5.",
    ],
)
async def test_other_limits_are_not_the_context(stub: ChatStub, said: str) -> None:
    stub.enqueue(failure(400, {"error": said}))
    with pytest.raises(ServerRefused):
        await chat(stub).ainvoke("hi")
