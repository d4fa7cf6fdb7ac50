"""TRL's trainer over packs of prompt trees."""

import ctypes
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from trl import SFTTrainer

from route_sql.training.tuning.prompt_trees.reply_loss import reply_loss
from route_sql.training.tuning.prompt_trees.tree import branches

_ARENAS, _MAPPED, _TRIM = -8, -4, -1


class TreeTrainer(SFTTrainer):
    """Trains on one pack at a time: the decoder runs on the whole pack, the head on its replies alone."""

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The mean loss of the replies' tokens, over all packs of a step if their number of tokens is given."""
        causal = self.accelerator.unwrap_model(model).get_base_model()
        positions = inputs["position_ids"]
        hidden = causal.get_decoder()(
            input_ids=inputs["input_ids"],
            position_ids=positions,
            use_cache=False,
            tree=branches(positions[0].tolist()),
        ).last_hidden_state
        total, count = reply_loss(hidden[0], causal.get_output_embeddings().weight, inputs["labels"][0])
        return total / (count if num_items_in_batch is None else num_items_in_batch)


def one_pack(packs: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, torch.Tensor]:
    """A batch of one pack, [1, tokens] each."""
    (pack,) = packs
    return {name: torch.tensor([values], dtype=torch.long) for name, values in pack.items()}


def keep_freed_memory() -> None:
    """Make glibc keep freed memory: a new request to the system for each large tensor costs as much as filling it.

    Another C library is left as it is.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_ARENAS, 1)
        library.mallopt(_MAPPED, 0)
        library.mallopt(_TRIM, 2**31 - 1)
