"""Whether the embedded server reads a conversation as the very tokens that were trained on.

llama.cpp renders the chat template by itself, and adds the begin token if the base's file says so, even where the
template does not write it.
"""

from collections.abc import Mapping, Sequence

import httpx2

from route_sql.training.errors import TrainingError


async def require_same_prompt(
    client: httpx2.AsyncClient, url: str, turns: Sequence[Mapping[str, str]], trained: Sequence[int]
) -> None:
    """Refuse a base whose chat is read differently when it is served.

    Args:
        client: A client that holds the server's key.
        url: The server's address.
        turns: A conversation that waits for its reply.
        trained: The tokens that training makes of it.

    Raises:
        TrainingError: the server makes other tokens of it.
        httpx2.HTTPError: the server did not answer.
    """
    rendered = await _post(client, f"{url}/apply-template", {"messages": [dict(turn) for turn in turns]})
    body = {"content": rendered["prompt"], "add_special": True, "parse_special": True}
    served = (await _post(client, f"{url}/tokenize", body))["tokens"]
    if served != list(trained):
        raise TrainingError(
            f"the embedded server reads a prompt as {_in_short(served)}, training as {_in_short(trained)}: the adapter "
            "would answer prompts that it was not trained on. Usual reasons are in the base's GGUF file: a begin token "
            "that the chat template does not write (tokenizer.ggml.add_bos_token), or a space after special tokens "
            "(tokenizer.ggml.add_space_prefix). Set them as the base's tokenizer does it, or serve the model merged"
        )


def _in_short(ids: Sequence[int]) -> str:
    return f"{len(ids)} tokens that begin with {list(ids[:4])}"


async def _post(client: httpx2.AsyncClient, url: str, body: Mapping[str, object]) -> dict[str, list[int]]:
    response = await client.post(url, json=body)
    response.raise_for_status()
    found: dict[str, list[int]] = response.json()
    return found
