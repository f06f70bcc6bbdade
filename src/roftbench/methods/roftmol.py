"""ROFT-MOL, named DWiSE-FT in the authors' code: one learned interpolation coefficient per block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from roftbench.errors import JobError, UsageError, check_choice, check_range
from roftbench.methods.adam import Adam
from roftbench.methods.base import Finished, Fitted, Fold, Member, Method
from roftbench.methods.full_ft import FullFT
from roftbench.methods.interpolate import BUFFERS, is_mixed, mix
from roftbench.models.encoder import State

CONSTRAINTS = ("none", "clamp", "sigmoid")
BLOCK, TENSOR, ONE = "block", "tensor", "one"
VALIDATION, HELD_OUT, CROSS_FITTED = "validation", "held_out", "cross_fitted"


@dataclass(frozen=True)
class ROFTMol(Method):
    """Interpolation θ_g = (1 − α_g)θ⁰_g + α_gθᶠ_g with a learned α_g per encoder block g (RoFt-Mol, arXiv 2509.00614).

    Weights and head stay fixed. Adam trains the α on the validation loss in mini-batches, with the network in
    evaluation mode. The α of the epoch with the best validation score are taken; the start counts as epoch 0.

    Attributes:
        alpha: initial value of each α.
        lr: learning rate of the α.
        epochs: epochs over the validation part.
        constraint: "none", "clamp" to [0, 1] after each step, or "sigmoid" of a free parameter.
        buffers: "finetuned" leaves running statistics those of θᶠ, as in the authors' code; "interpolate" treats them
            like weights, and the gradient then flows through them as well.
        include_finetuned: make α = 1, full fine-tuning, another candidate; if it is chosen, there is no best epoch.
        labels: "validation" learns and selects the α on all validation labels. "held_out" learns them on one half,
            which selects neither the epoch of θᶠ nor that of the α. "cross_fitted" averages the α of `folds` models:
            each is fine-tuned without a fold of the training and validation labels, to its last epoch, and its α are
            learned on that fold, to the last epoch, so that none of these labels is used twice.
        folds: number of folds of "cross_fitted".
        coefficients: an α per "block", one per "tensor" as TPGM has, or "one" for the encoder, a learned WiSE-FT.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("coefficients", "labels", "folds")

    fits_on_validation: ClassVar[bool] = True
    protocol = 4  # up to 3 no gradient flowed through interpolated statistics

    alpha: float = 0.9
    lr: float = 0.001
    epochs: int = 200
    constraint: str = "none"
    buffers: str = "finetuned"
    include_finetuned: bool = False
    coefficients: str = BLOCK
    labels: str = VALIDATION
    folds: int = 5

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        check_range("lr", self.lr, 0, open_low=True)
        check_range("epochs", self.epochs, 1)
        check_choice("constraint", self.constraint, CONSTRAINTS)
        check_choice("buffers", self.buffers, BUFFERS)
        check_choice("coefficients", self.coefficients, (BLOCK, TENSOR, ONE))
        check_choice("labels", self.labels, (VALIDATION, HELD_OUT, CROSS_FITTED))
        check_range("folds", self.folds, 2)
        if self.include_finetuned and self.labels == CROSS_FITTED:
            problem = "include_finetuned=true chooses by validation scores, and labels=cross_fitted chooses nothing"
            raise UsageError(problem, key="include_finetuned", got=True, allowed=("false",))

    def members(self) -> list[Member]:
        """Return none for coefficients of the validation labels, else the fits from which labels are kept."""
        if self.labels == VALIDATION:
            return []
        if self.labels == HELD_OUT:
            return [Member(FullFT(), fold=Fold(0, 2))]
        return [Member(FullFT()), *(Member(FullFT(), fold=Fold(i, self.folds, True)) for i in range(self.folds))]

    def combine(self, fits: Sequence[Fitted]) -> Finished:
        """Return the interpolated weights of the first fit; raises JobError if a loss is not finite."""
        if self.labels == HELD_OUT:
            return self.finish(fits[0])
        learned = [self._learned(one, selects=False)[0] for one in fits[1:]]
        shares = {group: torch.stack([one[group] for one in learned]).mean(dim=0) for group in learned[0]}
        alphas = [{group: float(alpha) for group, alpha in one.items()} for one in learned]
        info = {"alpha": {group: float(alpha) for group, alpha in shares.items()}, "alpha_of_folds": alphas}
        return Finished(self._mixed(fits[0], shares), info)

    def finish(self, fitted: Fitted) -> Finished:
        """Return the interpolated weights; raises JobError if the validation loss is not finite."""
        shares, info = self._learned(fitted)
        return Finished(self._mixed(fitted, shares), info)

    def _learned(self, fitted: Fitted, *, selects: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the coefficients of the best epoch, or of the last, and the details for the record."""
        raw = {group: self._initial(fitted.device) for group in self._groups(fitted)}
        optimizer = Adam(raw.values(), self.lr, fused=True if fitted.device.type == "cuda" else None)
        train_epoch = fitted.repeated(lambda: self._train_epoch(fitted, raw, optimizer))
        best = self._shares(raw)
        best_score = fitted.val_score(self._mixed(fitted, best))
        best_epoch: int | None = 0
        history: list[dict[str, Any]] = [{"epoch": 0, "val_score": best_score}]
        for epoch in fitted.progress(range(1, self.epochs + 1)):
            loss = float(train_epoch())
            if not math.isfinite(loss):
                raise JobError(
                    f"the validation loss is {loss} in epoch {epoch} of ROFT-MOL: lower method.lr ({self.lr:g})"
                )
            shares = self._shares(raw)
            score = fitted.val_score(self._mixed(fitted, shares))
            history.append({"epoch": epoch, "val_loss": loss, "val_score": score})
            if fitted.better(score, best_score) or not selects:
                best, best_epoch, best_score = shares, epoch, score
        if self.include_finetuned and fitted.better(fitted.val_score(fitted.tuned), best_score):
            best, best_epoch = {block: torch.ones_like(alpha) for block, alpha in best.items()}, None
        info = {
            "alpha": {block: float(a) for block, a in best.items()},
            "best_epoch": best_epoch,
            "history": history,
        }
        return best, info

    def _groups(self, fitted: Fitted) -> list[str]:
        """Return the names of the coefficients: blocks, keys of tensors or "encoder"."""
        keys = [key for key in fitted.block_of if is_mixed(fitted, key, self.buffers)]
        return {BLOCK: list(fitted.encoder_blocks), TENSOR: keys, ONE: ["encoder"]}[self.coefficients]

    def _mixed(self, fitted: Fitted, shares: dict[str, Tensor]) -> State:
        by_block = dict.fromkeys(fitted.encoder_blocks, shares["encoder"]) if self.coefficients == ONE else shares
        return mix(fitted, by_block, self.buffers)

    def _train_epoch(self, fitted: Fitted, raw: dict[str, Tensor], optimizer: Adam) -> Tensor:
        """Take one step per mini-batch of the validation part and return the mean loss, on its device."""
        losses = []
        for number in range(fitted.num_val_batches):
            shares = {block: self._constrained(a) for block, a in raw.items()}
            loss = fitted.val_loss(self._mixed(fitted, shares), number)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if self.constraint == "clamp":
                with torch.no_grad():
                    for alpha in raw.values():
                        alpha.clamp_(0, 1)
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def _initial(self, device: torch.device) -> Tensor:
        start = torch.tensor(self.alpha, device=device)
        return (start.logit(eps=1e-6) if self.constraint == "sigmoid" else start).requires_grad_()

    def _constrained(self, alpha: Tensor) -> Tensor:
        return alpha.sigmoid() if self.constraint == "sigmoid" else alpha

    def _shares(self, raw: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a copy of the present coefficients, without gradient."""
        return {block: self._constrained(a).detach().clone() for block, a in raw.items()}
