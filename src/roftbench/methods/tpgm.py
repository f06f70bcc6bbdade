"""Trainable projected gradient method (TPGM), in its form after fine-tuning."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from roftbench.errors import JobError, check_range
from roftbench.methods.adam import Adam
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.methods.interpolate import is_mixed, mix

STATISTICS = "finetuned"  # running statistics are not projected


@dataclass(frozen=True)
class TPGM(Method):
    """Projection θ = θ⁰ + min(1, γ/‖θᶠ − θ⁰‖)·(θᶠ − θ⁰) with a learned radius γ per tensor (Tian et al., CVPR 2023).

    Adam trains the γ on the validation loss in mini-batches, in evaluation mode, and each stays within
    [0, ‖θᶠ − θ⁰‖]; the first is the share `initial` of that, and the last are taken. ROFT-MOL with one coefficient per
    tensor differs in the unit of the coefficients and in that it chooses the best epoch.
    """

    fits_on_validation: ClassVar[bool] = True

    initial: float = 0.5
    lr: float = 0.01
    iterations: int = 200

    def __post_init__(self) -> None:
        check_range("initial", self.initial, 0, 1)
        check_range("lr", self.lr, 0, open_low=True)
        check_range("iterations", self.iterations, 1)

    def finish(self, fitted: Fitted) -> Finished:
        """Return the projected weights; raises JobError if the validation loss is not finite."""
        norms = {key: fitted.moved[key].norm() for key in fitted.block_of if is_mixed(fitted, key, STATISTICS)}
        radii = {key: (self.initial * norm).requires_grad_() for key, norm in norms.items()}
        optimizer = Adam(radii.values(), self.lr)
        losses: list[float] = []
        for number in fitted.progress(range(self.iterations)):
            loss = fitted.val_loss(mix(fitted, _shares(radii, norms), STATISTICS), number % fitted.num_val_batches)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for key, radius in radii.items():
                    radius.clamp_(torch.zeros_like(radius), norms[key])
            losses.append(float(loss.detach()))
        if not math.isfinite(sum(losses)):
            raise JobError(f"the validation loss of TPGM is not finite: lower method.lr ({self.lr:g})")
        shares = {key: share.detach() for key, share in _shares(radii, norms).items()}
        info = {"alpha": {key: float(share) for key, share in shares.items()}, "val_losses": losses}
        return Finished(mix(fitted, shares, STATISTICS), info)


def _shares(radii: dict[str, Tensor], norms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: radius / norms[key].clamp_min(torch.finfo(radius.dtype).tiny) for key, radius in radii.items()}
