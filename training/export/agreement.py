"""Compares a served adapter with the trained one: log-probabilities of the server and of transformers with PEFT.

The two never agree exactly, since the server rounds weights and activations in its own way. Their difference on the
base alone is that noise; with the adapter on both sides it may be no larger. With the adapter on one side only they
must differ, or the check would prove nothing.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import torch

from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.errors import ServerUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile
from route_sql.training.errors import TrainingError
from route_sql.training.export.served_prompts import require_same_prompt
from route_sql.training.tuning.base_model import load_base, load_tokenizer, with_adapter
from route_sql.training.tuning.conversation_tokens import IGNORED, encode

TOP = 20
"""The number of tokens compared at each position: the server's likeliest."""
POSITIONS = 4
"""Positions compared in each conversation: the answer's first token, and some spread over the answer."""
_TIMES_NOISE, _SLACK = 2.0, 0.01

Likeliest = Mapping[int, float]
"""Log-probabilities by token id."""


@dataclass(frozen=True)
class Conversation:
    """A held-out prompt and its right answer."""

    prompt: Sequence[Mapping[str, str]]
    completion: str


@dataclass(frozen=True)
class Probe:
    """A conversation in tokens; the token after each cut is compared."""

    ids: Sequence[int]
    cuts: Sequence[int]
    plain: int
    """The token of a plain letter."""
    turns: Sequence[Mapping[str, str]]
    """The conversation up to the reply, whose tokens end at the first cut."""


@dataclass(frozen=True)
class Agreement:
    """Mean absolute differences of log-probabilities, in nats, between transformers and the server."""

    base: float
    """The noise: base against base."""
    adapter: float
    """Adapter against adapter."""
    control: float
    """transformers with the adapter against the server without it."""
    positions: int

    @property
    def limit(self) -> float:
        """The largest allowed difference; right adapters reach 1.3 times the noise, wrong ones more than 3 times."""
        return _TIMES_NOISE * self.base + _SLACK

    @property
    def good(self) -> bool:
        """Whether the export is right, and the check able to detect a wrong one."""
        return self.adapter <= self.limit < self.control and self.adapter < self.control / 2

    def __str__(self) -> str:
        """The three differences and the number of positions."""
        return (
            f"base against base {self.base:.4f}, adapter against adapter {self.adapter:.4f}, "
            f"adapter against base {self.control:.4f} (nats in the mean, {self.positions} positions)"
        )

    def require(self) -> None:
        """Refuse an export that was not shown to be right.

        Raises:
            TrainingError: it is wrong, or the adapter changes too little for a check.
        """
        if self.good:
            return
        if self.adapter > self.limit:
            raise TrainingError(f"the served adapter does not compute what was trained: {self}; don't use it")
        raise TrainingError(f"the adapter changes too little to tell whether its export is right: {self}; train longer")


def load_conversations(path: Path, limit: int) -> list[Conversation]:
    """Conversations of a file of training rows, spread evenly over it.

    Args:
        path: JSON Lines of `prompt` and `completion`, each a list of turns.
        limit: At most this many.

    Raises:
        TrainingError: the file can't be read or holds none.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        step = max(1, len(lines) / limit)
        chosen = [json.loads(lines[int(n * step)]) for n in range(min(limit, len(lines)))]
        found = [Conversation(row["prompt"], row["completion"][-1]["content"]) for row in chosen]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise TrainingError(f"{path} holds no rows as `train data` writes: {error!r}") from error
    if not found:
        raise TrainingError(f"{path} holds no conversation to check with")
    return found


async def agreement(
    conversations: Sequence[Conversation], *, adapter: Path, base: Path, served: Path, profile: Profile
) -> Agreement:
    """Compare transformers and PEFT with the embedded server, which is started twice.

    Args:
        conversations: Held-out conversations, best of all tasks; those longer than the context are skipped.
        adapter: The folder that PEFT saved.
        base: The GGUF file of the base.
        served: The GGUF adapter made from it.
        profile: The settings of the served model.

    Raises:
        TrainingError: adapter or base can't be loaded, no conversation fits the context, or the server reads a prompt
            as other tokens than training does.
        RuntimeMissing: the embedded server can't run here.
        ServerUnavailable: it did not start, did not answer, or ended.
    """
    probes = await asyncio.to_thread(_probes, base, conversations, profile.context)
    bare = await _serve(ModelFile(base, "base", _with(profile, None)), probes)
    tuned = await _serve(ModelFile(base, "tuned", _with(profile, served)), probes)
    return await asyncio.to_thread(_compare, base, adapter, probes, bare, tuned)


def _with(profile: Profile, adapter: Path | None) -> Profile:
    return replace(profile, adapter=None if adapter is None else str(adapter))


def _probes(base: Path, conversations: Sequence[Conversation], context: int) -> list[Probe]:
    tokenizer = load_tokenizer(base)
    probes = [_probe(tokenizer, conversation) for conversation in conversations]
    fitting = [probe for probe in probes if len(probe.ids) < context]
    if not fitting:
        raise TrainingError(f"no conversation of the check fits into {context} tokens; name a file with shorter ones")
    return fitting


def _probe(tokenizer: Any, conversation: Conversation) -> Probe:
    reply = {"role": "assistant", "content": conversation.completion}
    made = encode([[dict(turn) for turn in conversation.prompt]], [[reply]], tokenizer)
    # Without the end of the reply's turn, which the server would not name.
    ids, prompt = made["input_ids"][0][:-1], made["labels"][0].count(IGNORED)
    answer = len(ids) - prompt
    step = max(1, answer // POSITIONS)
    cuts = [prompt + n for n in range(0, max(1, answer), step)][:POSITIONS]
    plain = tokenizer("a", add_special_tokens=False)["input_ids"][-1]
    return Probe(ids, cuts, plain, conversation.prompt)


async def _serve(model: ModelFile, probes: Sequence[Probe]) -> list[list[Likeliest]]:
    """The server's likeliest tokens at each cut of each probe."""
    async with EmbeddedServer(model) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        # A proxy named in the environment can't reach our loopback; a long prompt takes minutes on a busy machine.
        async with httpx2.AsyncClient(trust_env=False, timeout=600.0, headers=headers) as client:
            url = f"{server.url}/completion"
            try:
                for probe in probes:
                    await require_same_prompt(client, server.url, probe.turns, probe.ids[: probe.cuts[0]])
                return [
                    [await _ask(client, url, probe.ids[:cut], probe.plain) for cut in probe.cuts] for probe in probes
                ]
            except httpx2.HTTPError as error:
                raise ServerUnavailable(
                    f"The server did not answer the check: {error!r}. {server.log_tail()}"
                ) from error


async def _ask(client: httpx2.AsyncClient, url: str, ids: Sequence[int], plain: int) -> Likeliest:
    # For an end of turn, or a part of a character, the server would give no probabilities: so it is made to say a
    # letter. What it reports are the probabilities before that bias.
    body = {"prompt": ids, "n_predict": 1, "n_probs": TOP, "temperature": 0.0, "logit_bias": [[plain, 1000.0]]}
    response = await client.post(url, json=body)
    response.raise_for_status()
    (position,) = response.json()["completion_probabilities"]
    return {token["id"]: token["logprob"] for token in position["top_logprobs"]}


def _compare(
    base: Path,
    adapter: Path,
    probes: Sequence[Probe],
    bare: Sequence[Sequence[Likeliest]],
    tuned: Sequence[Sequence[Likeliest]],
) -> Agreement:
    model = with_adapter(load_base(base), adapter)
    differences: dict[str, list[float]] = {"base": [], "adapter": [], "control": []}
    for probe, of_bare, of_tuned in zip(probes, bare, tuned, strict=True):
        with model.disable_adapter():
            differences["base"] += _differences(model, probe, of_bare)
        differences["adapter"] += _differences(model, probe, of_tuned)
        differences["control"] += _differences(model, probe, of_bare)
    means = {name: sum(values) / len(values) for name, values in differences.items()}
    return Agreement(**means, positions=sum(len(probe.cuts) for probe in probes))


def _differences(model: Any, probe: Probe, served: Sequence[Likeliest]) -> list[float]:
    """|log p - log p| of the served model's likeliest tokens, at every cut."""
    places = torch.tensor([cut - 1 for cut in probe.cuts])
    with torch.inference_mode():
        # Only these positions: the logits of a whole prompt take a gigabyte.
        logits = model(input_ids=torch.tensor([probe.ids]), logits_to_keep=places, use_cache=False).logits[0]
    ours = torch.log_softmax(logits.float(), dim=-1)
    return [
        abs(float(ours[place, token]) - log_probability)
        for place, likeliest in enumerate(served)
        for token, log_probability in likeliest.items()
    ]
