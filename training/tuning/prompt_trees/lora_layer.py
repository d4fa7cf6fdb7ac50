"""A LoRA layer for frozen weights in 16 bits: products in 16 bits, tuned weights and their gradients in 32.

PEFT's own layer computes in the adapter's 32 bits, for which it copies every input and output; on a CPU that costs
more than the layer itself.
"""

from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor


class LoRAProduct(torch.autograd.Function):
    """x W' + b + s (x A') B', with gradients of x, A and B.

    Shapes: x [tokens, in], W [out, in], A [rank, in], B [out, rank].
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        """[tokens, out], in the dtype of x."""
        down, up = a.to(x.dtype), (b * scale).to(x.dtype)
        reduced = x @ down.T
        out = torch.nn.functional.linear(x, weight, bias).addmm_(reduced, up.T)
        ctx.save_for_backward(x, reduced, weight, down, up)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients; the frozen weights have none."""
        x, reduced, weight, down, up = ctx.saved_tensors
        (gradient,) = gradients
        of_reduced = gradient @ up
        of_b = (gradient.T @ reduced).float() * ctx.scale
        of_a = (of_reduced.T @ x).float()
        of_x = (gradient @ weight).addmm_(of_reduced, down)
        return of_x, None, None, of_a, of_b, None


class LoRALinear(Linear):
    """PEFT's layer with another way to compute the same; for one active adapter without dropout."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """[..., in] to [..., out]."""
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        (name,) = self.active_adapters
        base = self.get_base_layer()
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        out = LoRAProduct.apply(x.flatten(0, -2), base.weight, base.bias, a, b, self.scaling[name])
        return out.unflatten(0, x.shape[:-1])
