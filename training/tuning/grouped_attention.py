"""Attention for generation on a CPU: heads that share their keys are computed together, so that no key is copied.

Under a mask, torch's own attention repeats keys and values for every head at every token, which takes most of the time
of a batch.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "grouped"
"""The name for transformers' `attn_implementation`."""


def attend_in_groups(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of a batch, by transformers' interface.

    Shapes: queries [rows, heads, tokens, size], keys and values [rows, key heads, path, size], the mask to be added
    [rows, 1, tokens, path]; the attended values are [rows, tokens, heads, size].
    """
    rows, heads, tokens, size = query.shape
    shared = key.shape[1]
    asked = (query * scaling).reshape(rows * shared, -1, size)
    scores = torch.bmm(asked, key.flatten(0, 1).transpose(1, 2))
    scores.view(rows, heads, tokens, -1).add_(attention_mask[..., : key.shape[2]])
    attended = torch.bmm(torch.softmax(scores, -1), value.flatten(0, 1))
    return attended.view(rows, heads, tokens, size).transpose(1, 2), None


AttentionInterface.register(NAME, attend_in_groups)
AttentionMaskInterface.register(NAME, eager_mask)
