"""The nine methods on the reference, each as the paper's authors' scripts run it.

A frozen encoder still runs forward and backward in every step, every epoch ends with an evaluation of all three parts,
and the regularized methods pass the source model once and the tuned one twice.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_mean_pool

from scripts.speed.reference import ReferenceModel, evaluate_all, task_loss

Penalty = Callable[[Data], Tensor]
REGULARIZED = ("l2_sp", "feature_map", "bss")


@dataclass
class Timed:
    """Seconds of a job outside its epochs, and of each phase with its number of epochs."""

    fixed: float = 0.0
    phases: list[tuple[float, int]] = field(default_factory=list)

    def scaled(self, epochs: list[int]) -> float:
        """Return the seconds of the job with so many epochs in its phases."""
        return self.fixed + sum(
            span * wanted / timed for (span, timed), wanted in zip(self.phases, epochs, strict=True)
        )


def train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, task: str, penalty: Penalty | None = None
) -> float:
    """Take a step for each batch, the loss read after each; returns the mean loss."""
    model.train()
    device = next(model.parameters()).device
    losses = []
    for batch in loader:
        batch = batch.to(device)
        loss = task_loss(task, model(batch), batch.y)
        if penalty is not None:
            loss = loss + penalty(batch)
        optimizer.zero_grad()
        loss.backward()
        if penalty is not None:
            nn.utils.clip_grad_value_(model.parameters(), 10)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


class ReferenceJob:
    """One job: `start` is the pretrained model, `parts` the loaders of train, val and test."""

    def __init__(self, start: ReferenceModel, parts: list[DataLoader], task: str, method: Any) -> None:
        self.start, self.parts, self.task, self.method = start, parts, task, method

    def run(self, name: str, epochs: int) -> Timed:
        """Do the job with so many epochs in each phase; wise_ft and roftmol begin after full fine-tuning."""
        timed = Timed()
        began = time.perf_counter()
        model, source = deepcopy(self.start), deepcopy(self.start).eval().requires_grad_(False)
        if name == "wise_ft":
            self._average(model)
        timed.fixed = time.perf_counter() - began
        if name == "roftmol":
            timed.phases.append(self._timed(self._coefficients(model), epochs))
        elif name != "wise_ft":
            penalty = self._penalty(name, model, source) if name in REGULARIZED else None
            for phase in ("lp", "full_ft") if name == "lp_ft" else (name,):
                timed.phases.append(self._timed(self._tuning(model, phase, penalty), epochs))
        return timed

    @staticmethod
    def _timed(epoch: Callable[[], None], epochs: int) -> tuple[float, int]:
        began = time.perf_counter()
        for _ in range(epochs):
            epoch()
        return time.perf_counter() - began, epochs

    def _tuning(self, model: ReferenceModel, name: str, penalty: Penalty | None) -> Callable[[], None]:
        """Return an epoch; all gradients are computed, the optimizer holds what the method trains."""
        trained: list[nn.Module] = [model]
        if name == "lp":
            trained = [model.head]
        elif name == "surgical_ft":
            trained = [model.encoder.gnns[0], model.head]
        optimizer = torch.optim.Adam([p for module in trained for p in module.parameters()], lr=1e-3)

        def epoch() -> None:
            train_epoch(model, optimizer, self.parts[0], self.task, penalty)
            evaluate_all(model, self.parts, self.task)

        return epoch

    def _penalty(self, name: str, model: ReferenceModel, source: ReferenceModel) -> Penalty:
        weight = self.method.weight

        def penalty(batch: Data) -> Tensor:
            with torch.no_grad():
                _, before = source.encoder(batch)
            out, features = model.encoder(batch)
            if name == "l2_sp":
                pairs = zip(model.encoder.parameters(), source.encoder.parameters(), strict=True)
                term = 0.5 * torch.stack([(now - then).square().sum() for now, then in pairs]).sum()
            elif name == "feature_map":
                term = 0.5 * (features - before).square().sum()
            else:
                z = global_mean_pool(out, batch.batch)
                term = torch.linalg.svd(z, full_matrices=False)[1][-self.method.k :].square().sum()
            head = 0.5 * torch.stack([p.square().sum() for p in model.head.parameters()]).sum()
            loss: Tensor = weight * (term + head)
            return loss

        return penalty

    def _average(self, model: ReferenceModel) -> None:
        """Average two sets of weights and score the three parts."""
        then, now = self.start.state_dict(), model.state_dict()
        alpha = self.method.alpha
        model.load_state_dict({key: (1 - alpha) * then[key] + alpha * now[key] for key in now})
        evaluate_all(model, self.parts, self.task)

    def _coefficients(self, model: ReferenceModel) -> Callable[[], None]:
        """Return an epoch in which one coefficient a block learns from the validation loss; val and test are scored."""
        mixed = _Mixed(self.start, model, self.method.alpha)
        optimizer = torch.optim.Adam([mixed.alpha], lr=self.method.lr)

        def epoch() -> None:
            train_epoch(mixed, optimizer, self.parts[1], self.task)
            evaluate_all(mixed, self.parts[1:], self.task)

        return epoch


class _Mixed(nn.Module):
    """A model whose encoder's weights are mixed anew in each forward pass, one coefficient a block."""

    def __init__(self, start: ReferenceModel, tuned: ReferenceModel, alpha: float) -> None:
        super().__init__()
        self.tuned = deepcopy(tuned).requires_grad_(False)
        self.then = {key: p.detach().clone() for key, p in start.named_parameters()}
        self.alpha = nn.Parameter(torch.full((1 + len(tuned.encoder.gnns),), alpha, device=tuned.head.weight.device))

    def forward(self, batch: Data) -> Tensor:
        """Return logits [B, T]."""
        mixed = {}
        for key, now in self.tuned.named_parameters():
            if key.startswith("encoder."):
                words = key.split(".")
                alpha = self.alpha[0 if words[1].startswith("x_") else 1 + int(words[2])]
                mixed[key] = (1 - alpha) * self.then[key] + alpha * now
        logits: Tensor = functional_call(self.tuned, mixed, (batch,))
        return logits
