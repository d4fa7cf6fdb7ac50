"""Attention over a pack of prompt trees: each branch attends to the path that leads to it and to itself.

Scores are computed branch by branch as plain products of matrices, which on a CPU with bf16 instructions takes a third
of the time of torch's own attention and its gradient under a mask. The products of one branch stay small, and
parts that branches share are not copied into the graph of gradients.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from route_sql.training.tuning.prompt_trees.tree import Branch, branches

NAME = "prompt_tree"
"""The name for transformers' `attn_implementation`."""


class TreeAttention(torch.autograd.Function):
    """Scaled dot-product attention of one pack.

    Shapes: queries [heads, tokens, size], keys and values [key heads, tokens, size]; heads are a multiple of key heads.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, tree: Sequence[Branch]) -> Tensor:
        """The attended values, [heads, tokens, size]."""
        grouped = (query * scale).unflatten(0, (key.shape[0], -1))
        out = torch.empty_like(grouped)
        weights = []
        for branch in tree:
            start, end = branch.own
            own = grouped[:, :, start:end]
            scores = torch.bmm(own.flatten(1, 2), _along(key, branch).transpose(1, 2))
            masked = _hide_later(scores, end - start)
            weights.append(torch.softmax(masked, -1))
            out[:, :, start:end] = torch.bmm(weights[-1], _along(value, branch)).view_as(own)
        ctx.save_for_backward(grouped, key, value, *weights)
        ctx.scale, ctx.tree = scale, tree
        return out.flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of queries, keys and values; those of keys and values are summed over branches in 32 bits."""
        grouped, key, value, *weights = ctx.saved_tensors
        gradient = gradients[0].unflatten(0, (key.shape[0], -1))
        of_query = torch.empty_like(grouped)
        of_key, of_value = torch.zeros_like(key, dtype=torch.float32), torch.zeros_like(value, dtype=torch.float32)
        for branch, weight in zip(ctx.tree, weights, strict=True):
            start, end = branch.own
            own = gradient[:, :, start:end].flatten(1, 2)
            _add_along(of_value, branch, torch.bmm(weight.transpose(1, 2), own))
            of_weight = torch.bmm(own, _along(value, branch).transpose(1, 2))
            of_scores = torch._softmax_backward_data(of_weight, weight, -1, weight.dtype)
            of_query[:, :, start:end] = torch.bmm(of_scores, _along(key, branch)).view_as(of_query[:, :, start:end])
            asked = grouped[:, :, start:end].flatten(1, 2)
            _add_along(of_key, branch, torch.bmm(of_scores.transpose(1, 2), asked))
        of_query = of_query.flatten(0, 1) * ctx.scale
        return of_query, of_key.to(key.dtype), of_value.to(value.dtype), None, None


def attend_in_tree(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    tree: Sequence[Branch] | None = None,
    position_ids: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """One pack's attention, by transformers' interface: [1, heads, tokens, size] to [1, tokens, heads, size].

    The trainer passes `tree` to the model with the tokens; without it every layer reads the positions.
    """
    if tree is None:
        positions = range(query.shape[2]) if position_ids is None else position_ids[0].tolist()
        tree = branches(positions)
    attended = TreeAttention.apply(query[0], key[0], value[0], scaling, tree)
    return attended.transpose(0, 1).unsqueeze(0), None


AttentionInterface.register(NAME, attend_in_tree)


def _along(states: Tensor, branch: Branch) -> Tensor:
    """Keys or values of a branch and the path that leads to it, [key heads, path, size]."""
    if not branch.before:
        return states[:, branch.own.start : branch.own.end]
    return torch.cat([states[:, start:end] for start, end in (*branch.before, branch.own)], 1)


def _add_along(total: Tensor, branch: Branch, gradient: Tensor) -> None:
    begun = 0
    for start, end in (*branch.before, branch.own):
        total[:, start:end] += gradient[:, begun : begun + end - start]
        begun += end - start


def _hide_later(scores: Tensor, tokens: int) -> Tensor:
    """Mask the scores of a branch, [key heads, heads of one times tokens, path]: no token attends to later ones."""
    later = torch.ones(tokens, tokens, dtype=torch.bool, device=scores.device).triu(1)
    own = scores.unflatten(1, (-1, tokens))[..., -tokens:]
    own.masked_fill_(later, float("-inf"))
    return scores
