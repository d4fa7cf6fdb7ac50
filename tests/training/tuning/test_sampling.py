from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from support.made_rows import row
from transformers import AutoModelForCausalLM

from route_sql.training.tuning.batched_replies import (
    SHARED_TOKENS,
    SPARE_TOKENS,
    Decoding,
    Sampler,
    plan_batches,
    reply_bound,
    shared_prefix,
)
from route_sql.training.tuning.grouped_attention import attend_in_groups
from route_sql.training.two_stages.mistakes import SamplingPlan

SHORT = Decoding(max_new_tokens=6)


@pytest.fixture(scope="module")
def prompts() -> list[Any]:
    """Conversations of unlike length, so that a batch of them is padded."""
    made: list[Any] = [row("text_to_sql", index)["prompt"] for index in range(5)]
    for number, prompt in enumerate(made):
        prompt[-1]["content"] += " and then" * (7 * number)
    return made


@pytest.fixture(scope="module")
def sampler(tiny_model: Path) -> Sampler:
    return Sampler(tiny_model, dtype=torch.float32)


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """A random adapter that changes what the model says."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_a_batch_gives_each_the_reply_that_it_gets_alone(sampler: Sampler, prompts: list[Any]):
    together = sampler.replies(prompts, SHORT)
    alone = [sampler.replies([prompt], SHORT)[0] for prompt in prompts]
    assert together == alone
    assert sampler.replies(prompts, replace(SHORT, rows=2)) == alone
    assert len({reply.text for reply in alone}) > 1


def test_what_a_batch_shares_is_computed_once_and_changes_nothing(sampler: Sampler, prompts: list[Any]):
    alike: list[Any] = [
        [{"role": "user", "content": "the same words " * SHARED_TOKENS + text}] for text in ("a", "bb b", "c c c c")
    ]
    assert sampler.replies(alike, SHORT) == [sampler.replies([prompt], SHORT)[0] for prompt in alike]


def test_only_a_prefix_that_is_worth_it_is_shared():
    long = list(range(SHARED_TOKENS))
    assert shared_prefix([[*long, 1, 2], [*long, 1, 3]]) == SHARED_TOKENS + 1
    assert shared_prefix([[*long, 1], [*long, 1]]) == SHARED_TOKENS
    assert shared_prefix([long, long]) == shared_prefix([[*long, 1]]) == shared_prefix([[7], [*long, 1]]) == 0


def test_grouped_heads_attend_as_torch_does():
    generator = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(3, heads, 5, 8, generator=generator) for heads in (6, 2, 2))
    hidden = torch.zeros(3, 1, 5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), -1e9)
    hidden[0, ..., :2] = -1e9
    hidden[0, :, 0, 0] = 0  # a row that sees nothing has no answer
    hidden[0, :, 1, 0] = 0
    ours, _ = attend_in_groups(torch.nn.Identity(), query, key, value, hidden, scaling=0.3)
    theirs = torch.nn.functional.scaled_dot_product_attention(query, key, value, hidden, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(ours, theirs.transpose(1, 2))


def test_a_reply_that_reaches_the_bound_is_not_whole(sampler: Sampler, prompts: list[Any]):
    assert [reply.whole for reply in sampler.replies(prompts[:2], SHORT)] == [False, False]


def test_a_model_that_says_the_end_of_its_turn_stops_there(tiny_model: Path, tmp_path: Path, prompts: list[Any]):
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    end = model.config.eos_token_id
    torch.nn.init.zeros_(model.lm_head.weight)
    torch.nn.init.ones_(model.model.norm.weight)
    with torch.no_grad():
        # Whatever the last hidden state is, one of these two is the likeliest.
        model.lm_head.weight[end] = 1.0
        model.lm_head.weight[end - 1] = -1.0
    model.save_pretrained(tmp_path)
    for file in tiny_model.glob("*token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_bytes((tiny_model / "chat_template.jinja").read_bytes())
    replies = Sampler(tmp_path).replies(prompts, SHORT)
    assert all(reply.text == "" for reply in replies)
    assert any(reply.whole for reply in replies)


def test_the_same_seed_draws_the_same_and_another_seed_others(sampler: Sampler, prompts: list[Any]):
    drawn = replace(SHORT, temperature=1.0)
    assert sampler.replies(prompts, drawn) == sampler.replies(prompts, drawn)
    assert sampler.replies(prompts, drawn) != sampler.replies(prompts, replace(drawn, seed=1))
    assert sampler.replies(prompts, drawn) != sampler.replies(prompts, SHORT)


def test_an_adapter_changes_the_replies(tiny_model: Path, sampler: Sampler, adapter: Path, prompts: list[Any]):
    assert Sampler(tiny_model, adapter).replies(prompts, SHORT) != sampler.replies(prompts, SHORT)


@pytest.mark.parametrize("wanted", [lambda at: 5, lambda at: at % 7, lambda at: 100 - at])
def test_batches_hold_each_conversation_once_and_stay_within_their_bounds(wanted: Callable[[int], int]):
    lengths = [20 + 13 * at % 900 for at in range(100)]
    replies = [wanted(at) for at in range(100)]
    decoding = Decoding(max_new_tokens=64, rows=16, tokens=6000)
    batches = plan_batches(lengths, replies, decoding)
    assert sorted(place for batch in batches for place in batch) == list(range(100))
    for batch in batches:
        longest = max(lengths[at] for at in batch) + reply_bound([replies[at] for at in batch], decoding)
        assert len(batch) <= 16 and (len(batch) == 1 or len(batch) * longest <= 6000)
        assert max(lengths[at] for at in batch) < 2 * min(lengths[at] for at in batch)
    assert len(batches) < 40


def test_a_conversation_beyond_all_bounds_is_a_batch_of_its_own():
    assert plan_batches([50, 9000, 60], [5, 5, 5], Decoding(tokens=1000)) == [[1], [2, 0]]


def test_a_reply_may_be_longer_than_the_longest_that_is_hoped_for_but_not_without_end():
    assert reply_bound([3, 20], Decoding(max_new_tokens=256)) == 40 + SPARE_TOKENS
    assert reply_bound([3, 200], Decoding(max_new_tokens=256)) == 256


def test_the_first_pass_is_greedy_and_each_other_has_a_seed_of_its_own():
    passes = SamplingPlan(drawn=2).decodings()
    assert [name for name, _ in passes] == ["greedy", "drawn-1", "drawn-2"]
    assert passes[0][1].temperature == 0 and all(decoding.temperature for _, decoding in passes[1:])
    assert len({decoding.seed for _, decoding in passes}) == 3
