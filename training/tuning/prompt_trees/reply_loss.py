"""The loss of the replies' tokens, computed with its gradient a few rows at a time.

A vocabulary of 150,000 makes the logits of a pack's replies the largest thing in training. With a head that is not
tuned only the hidden states need a gradient, so logits are made, used and dropped.
"""

from typing import Any

import torch
from torch import Tensor

from route_sql.training.tuning.conversation_tokens import IGNORED

_ROWS = 128


class ReplyLoss(torch.autograd.Function):
    """The summed negative log-likelihood of tokens, of a frozen head.

    Shapes: hidden states [tokens, size], head [vocabulary, size], labels [tokens].
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        """A scalar in 32 bits."""
        gradient = torch.empty_like(hidden)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), _ROWS):
            place = slice(start, start + _ROWS)
            logits = (hidden[place] @ head.T).float()
            logits -= logits.amax(-1, keepdim=True)
            wanted = labels[place].unsqueeze(1)
            chosen = logits.gather(1, wanted)
            sums = logits.exp_().sum(-1, keepdim=True)
            total += (sums.log() - chosen).sum()
            off = (logits / sums).scatter_add_(1, wanted, torch.full_like(chosen, -1.0))
            gradient[place] = off.to(head.dtype) @ head
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the hidden states; the head has none."""
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].to(gradient.dtype), None, None


def reply_loss(hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """The summed loss of a pack's replies, and the number of their tokens.

    Args:
        hidden: [tokens, size].
        head: [vocabulary, size].
        labels: [tokens], the label of each token itself, not of the next.
    """
    learned = (labels[1:] != IGNORED).nonzero().squeeze(1)
    return ReplyLoss.apply(hidden[learned], head, labels[1:][learned]), len(learned)
