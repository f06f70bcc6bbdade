"""The 5-layer, 300-d GIN with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.colours import Hop
from roftbench.models.hu import Convolution, HuEncoder, as_autocast


class _MLP(torch.autograd.Function):
    """relu(h·W₁ᵀ + b₁)·W₂ᵀ + b₂, which overwrites what is not needed again: fresh memory costs more than the sums."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        hidden = torch.mm(h, w1.T).add_(b1).relu_()
        ctx.save_for_backward(h, hidden, w1, w2)
        return torch.mm(hidden, w2.T).add_(b2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, hidden, w1, w2 = ctx.saved_tensors
        grad, (states, first, bias, second, last) = grads[0], ctx.needs_input_grad
        found = torch.mm(grad.T, hidden) if second else None, grad.sum(0) if last else None
        if not (states or first or bias):
            return None, None, None, *found
        inner = torch.mm(grad, w2)
        torch.ops.aten.threshold_backward.grad_input(inner, hidden, 0, grad_input=inner)
        return (
            torch.mm(inner, w1) if states else None,
            torch.mm(inner.T, h) if first else None,
            inner.sum(0) if bias else None,
            *found,
        )


class GINLayer(Convolution):
    """One convolution: h_i <- MLP(h_i + e_loop + Σ_j (h_j + e_ji)), j over the bonds that enter i."""

    mlp: nn.Sequential

    def __init__(self, dim: int) -> None:
        super().__init__(dim, mlp=nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)))

    def forward(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d] from h [U, d] and the bond counts [V, 9]."""
        first: Any = self.mlp[0]
        second: Any = self.mlp[2]
        weights = (first.weight, first.bias, second.weight, second.bias)
        return _MLP.apply(*as_autocast(self.collect(h, hop, counts), *weights))  # type: ignore[no-any-return, no-untyped-call]


class GIN(HuEncoder):
    """GIN encoder of Hu et al."""

    asks_nothing: ClassVar[bool] = True
    convolution = GINLayer
