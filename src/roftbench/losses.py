"""Task losses over [B, T] outputs that leave out missing labels (NaN)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

REGRESSION_LOSSES = ("rmse", "mse", "mae", "huber")
DEFAULT_LOSS = {"regression": "rmse", "classification": "bce"}


def masked_loss(name: str) -> "Callable[[Tensor, Tensor], Tensor]":
    """Return loss(outputs [B, T], y [B, T]) -> scalar, the mean over labels that are there; 0 where there is none.

    `rmse` is the root of the batch's mean squared error (the paper's loss), `bce` takes logits and labels 0/1.
    """
    import torch  # here: whoever only asks for the names of losses need not wait for it
    import torch.nn.functional as F

    functions: dict[str, Callable[..., Tensor]] = {
        "rmse": F.mse_loss,
        "mse": F.mse_loss,
        "mae": F.l1_loss,
        "huber": F.smooth_l1_loss,
        "bce": F.binary_cross_entropy_with_logits,
    }
    elementwise = functions[name]

    def loss(outputs: "Tensor", y: "Tensor") -> "Tensor":
        present = ~torch.isnan(y)
        values = elementwise(outputs, torch.where(present, y, 0.0), reduction="none")
        mean = torch.where(present, values, 0.0).sum() / present.sum().clamp_min(1)
        # The root's gradient at zero error is infinite; below the guard it is zero. A NaN stays: training has diverged.
        return torch.where(mean == 0, 0.0, mean.clamp_min(1e-20).sqrt()) if name == "rmse" else mean

    return loss
