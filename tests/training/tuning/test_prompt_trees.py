"""Packs of prompt trees: what rows share is computed once, and nothing else changes."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from route_sql.training.errors import TrainingError
from route_sql.training.tuning.base_model import model_to_tune
from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.conversation_tokens import IGNORED, encode_file
from route_sql.training.tuning.loss_log import read_losses
from route_sql.training.tuning.prompt_trees.mix import mix_trees
from route_sql.training.tuning.prompt_trees.reply_loss import reply_loss
from route_sql.training.tuning.prompt_trees.tree import Branch, Encoded, PackSpan, branches, pack_trees
from route_sql.training.tuning.sft import fine_tune
from route_sql.training.tuning.task_mix import Mix

MakeRun = Callable[..., SFTRun]
LORA = LoRA(rank=4, alpha=8, dropout=0)


def rows_like(prompts: list[list[int]], reply: int = 3) -> list[Encoded]:
    return [Encoded([*ids, *range(90, 90 + reply)], [IGNORED] * len(ids) + [*range(90, 90 + reply)]) for ids in prompts]


def paths(pack: dict[str, list[int]]) -> list[list[int]]:
    """The tokens that each branch's last token can see, itself with them."""
    ids = pack["input_ids"]
    return [
        [token for span in (*branch.before, branch.own) for token in ids[span.start : span.end]]
        for branch in branches(pack["position_ids"])
    ]


def test_rows_share_how_they_begin() -> None:
    rows = rows_like([[1, 2, 3, 4, 5], [1, 2, 3, 6, 7], [1, 2, 3, 6, 8], [9, 9]])
    (pack,) = pack_trees(rows, 100)
    assert pack["position_ids"] == [0, 1, 2, 3, 4, 5, 6, 7, 3, 4, 5, 6, 7, 4, 5, 6, 7, 0, 1, 2, 3, 4]
    assert paths(pack) == [row.ids for row in rows]
    assert branches(pack["position_ids"])[2] == Branch(PackSpan(13, 17), (PackSpan(0, 3), PackSpan(8, 9)))


def test_the_end_of_a_prompt_and_the_reply_are_a_rows_own() -> None:
    (pack,) = pack_trees(rows_like([[1, 2, 3], [1, 2, 3]]), 100)
    assert pack["position_ids"] == [0, 1, 2, 3, 4, 5, 2, 3, 4, 5]
    assert pack["labels"].count(IGNORED) == 4


def test_every_row_is_in_some_pack_as_it_was() -> None:
    drawn = random.Random(1)
    prompts = sorted([drawn.choices((1, 2), k=drawn.randint(1, 12)) for _ in range(200)])
    rows = rows_like(prompts)
    packs = list(pack_trees(rows, 40))
    assert [path for pack in packs for path in paths(pack)] == [row.ids for row in rows]
    assert max(len(pack["input_ids"]) for pack in packs) <= 40
    assert sum(len(pack["input_ids"]) for pack in packs) < sum(len(row.ids) for row in rows)


def test_a_row_longer_than_a_pack_is_alone() -> None:
    packs = list(pack_trees(rows_like([[1, 2], [1] * 50, [1, 2]]), 20))
    assert [len(pack["input_ids"]) for pack in packs] == [5, 53, 5]


def tree_loss(model: Any, packs: Any) -> torch.Tensor:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    total, count = torch.zeros(()), 0
    for pack in packs:
        ids, positions = torch.tensor([pack["input_ids"]]), torch.tensor([pack["position_ids"]])
        hidden = causal.get_decoder()(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state[0]
        summed, learned = reply_loss(hidden, causal.get_output_embeddings().weight, torch.tensor(pack["labels"]))
        total, count = total + summed, count + learned
    return total / count


def lone_loss(model: Any, rows: Any) -> torch.Tensor:
    """The same of each row alone, as the libraries compute it."""
    total, count = torch.zeros(()), 0
    for row in rows:
        labels = torch.tensor(row.labels[1:])
        logits = model(torch.tensor([row.ids])).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        count += int((labels != IGNORED).sum())
    return total / count


def tuned(run: SFTRun) -> Any:
    """The base with an adapter that does something."""
    from peft import get_peft_model

    torch.manual_seed(0)
    model, config = model_to_tune(run)
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_loss_and_gradients_are_those_of_the_rows_alone(make_run: MakeRun) -> None:
    drawn = random.Random(2)
    prompts = sorted([drawn.choices(range(5), k=drawn.randint(2, 30)) for _ in range(40)])
    rows = [
        Encoded([*ids, *reply], [IGNORED] * len(ids) + reply)
        for ids in prompts
        for reply in [drawn.choices(range(900), k=drawn.randint(1, 9))]
    ]
    run = make_run(lora=LORA, packing="trees")
    packed, plain = tuned(run), tuned(make_run(lora=LORA))
    ours, theirs = tree_loss(packed, pack_trees(rows, 120)), lone_loss(plain, rows)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    found, wanted = gradients(packed, ours), gradients(plain, theirs)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-6), name


def test_a_run_learns_and_the_same_run_gives_the_same_losses(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(lora=LORA, packing="trees", accumulation=2)
    whole = read_losses(fine_tune(run) / "losses.csv")
    assert whole[-1]["loss"] < whole[0]["loss"]  # type: ignore[operator]
    again = fine_tune(replace(run, out=str(tmp_path / "again")))
    assert read_losses(again / "losses.csv") == whole


def test_a_run_goes_on_from_an_adapter(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(lora=LORA, packing="trees")
    first = fine_tune(run)
    later = fine_tune(replace(run, adapter=str(first / "final"), out=str(tmp_path / "later")))
    assert read_losses(later / "losses.csv")[0]["loss"] < read_losses(first / "losses.csv")[0]["loss"]  # type: ignore[operator]


def learned_tokens(mix: Mix) -> int:
    return sum(label != IGNORED for pack in mix.train for label in pack["labels"])


def test_an_epoch_draws_no_row_twice(make_run: MakeRun, tiny_model: Path, rows_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    run = make_run(lora=LORA, packing="trees", tasks={"text_to_sql": 3.0, "schema_linking": 1.0})
    mix = mix_trees(run, tokenizer)
    assert [counts["drawn"] for counts in mix.counts.values()] == [48, 16]
    files = [rows_folder / f"{task}.train.jsonl" for task in run.tasks]
    labels = [row["labels"] for file in files for row in encode_file(file, tokenizer, 512)]
    assert learned_tokens(mix) == sum(label != IGNORED for row in labels for label in row)
    sizes = [len(pack["input_ids"]) for pack in mix.train]
    assert max(sizes) <= 512 and sum(sizes) < sum(counts["tokens"] for counts in mix.counts.values()) * 0.75


def test_of_a_kind_as_many_rows_are_taken_as_wanted(make_run: MakeRun, tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    run = make_run(lora=LORA, packing="trees", tasks={"text_to_sql": 1.0}, kinds={"full": 0.5, "linked": 0.0})
    assert 12 <= mix_trees(run, tokenizer).counts["text_to_sql"]["drawn"] <= 36


@pytest.mark.parametrize(
    "changes",
    [{"batch": 2}, {"lora": LoRA(dropout=0.1)}, {"lora": None}, {"packing": True, "kinds": {"linked": 0.5}}],
)
def test_what_trees_can_not_do_is_said(make_run: MakeRun, changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="trees"):
        make_run(**{"lora": LORA, "packing": "trees", **changes})
