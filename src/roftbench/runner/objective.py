"""The objective of a job: graphs and labels on a device, the loss, and scores of predictions."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from roftbench.data.packed import Batch, PackedGraphs
from roftbench.metrics import METRICS, Metric, evaluate, masked_loss, names_of

EVAL_BATCH = 512  # graphs; fixed, because it affects the last bits of a score

Forward = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class Objective:
    """Graphs and targets on one device, and the indices of the three parts on the host.

    Attributes:
        y: labels [N, T], NaN = missing.
        targets: labels [N, T] in the unit of the network's outputs, standardized where the job asks for it.
        scale: factor [T] from outputs to the label's unit; 1 unless targets are standardized.
        offset: summand [T] to outputs times `scale`; 0 unless targets are standardized.
    """

    graphs: PackedGraphs
    y: NDArray[np.float64]
    targets: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    task: str
    metric: Metric
    loss_name: str
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def create(
        cls,
        graphs: PackedGraphs,
        y: NDArray[np.float64],
        parts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
        *,
        metric: str,
        loss: str,
        standardize: bool,
        device: torch.device,
    ) -> "Objective":
        """Move graphs and targets to the device; the scale comes from the training labels alone.

        Labels are learned and scored in float32; in float64 where they are standardized, or too close together.
        """
        train, val, test = map(torch.from_numpy, parts)
        task = METRICS[metric].task
        offset, scale = np.zeros(y.shape[1]), np.ones(y.shape[1])
        if standardize and task == "regression":
            seen = y[parts[0]]
            counts = np.maximum((~np.isnan(seen)).sum(0), 1)
            offset = np.nansum(seen, axis=0) / counts
            std = np.sqrt(np.nansum((seen - offset) ** 2, axis=0) / counts)
            scale = np.where(std > 0, std, 1.0)
        elif not too_close(y):
            y = y.astype(np.float32).astype(np.float64)
        targets = torch.from_numpy((y - offset) / scale).float().to(device)
        return cls(graphs.to(device), y, targets, train, val, test, task, METRICS[metric], loss, offset, scale)

    @property
    def num_tasks(self) -> int:
        """Number of prediction tasks, T."""
        return self.targets.shape[1]

    @property
    def device(self) -> torch.device:
        """Where graphs and targets are."""
        return self.targets.device

    def loss(self, outputs: Tensor, index: Tensor) -> Tensor:
        """Return the task loss of outputs [B, T] for the graphs `index` [B], which is copied unless on the device."""
        return masked_loss(self.loss_name)(outputs, self.targets[index])

    def eval_batches(self, index: Tensor, shared_layers: int) -> Iterator[Batch]:
        """Yield the graphs `index` in large batches, in order, for an encoder with `shared_layers` layers."""
        return self.graphs.batches(index.split(EVAL_BATCH), shared_layers)

    def outputs(self, forward: Forward, index: Tensor, shared_layers: int) -> Tensor:
        """Return the results [n, …] of `forward` for the graphs `index` (at least one), in order, without gradient."""
        with torch.no_grad():
            return torch.cat([forward(batch) for batch in self.eval_batches(index, shared_layers)])

    def to_predictions(self, outputs: Tensor) -> NDArray[np.float64]:
        """Turn network outputs [B, T] into values in the label's unit, or probabilities."""
        return to_predictions(outputs, self.task, self.scale, self.offset)

    def scores(
        self, predictions: NDArray[np.float64], index: Tensor, names: Collection[str] | None = None
    ) -> dict[str, float | None]:
        """Return metrics of predictions [len(index), T], all without `names`; None unless predictions are finite."""
        y = self.y[index.numpy()]
        if not np.isfinite(predictions).all():
            return dict.fromkeys(names_of(self.task) if names is None else names)
        return evaluate(self.task, y, predictions, names)

    def val_score(self, outputs: Tensor) -> float | None:
        """Return the score, by the metric that selects, of outputs [n, T] for the validation part."""
        return self.scores(self.to_predictions(outputs), self.val, [self.metric.name])[self.metric.name]


def too_close(y: NDArray[np.float64]) -> str:
    """Return a message if float32 cannot resolve the labels' spread at their size, else ""."""
    for values in (column[~np.isnan(column)] for column in y.T):
        largest = float(np.abs(values).max(initial=0.0))
        step, spread = float(np.spacing(np.float32(min(largest, 3e38)))), float(values.std()) if len(values) else 0.0
        if largest > 3e38 or 0 < spread < 1000 * step:
            return (
                f"labels up to {largest:g} that spread by {spread:.3g} are more than float32 can tell apart (its step"
                f" there is {step:.1g}): subtract a constant or take another unit, or train.standardize_targets=true"
            )
    return ""


def to_predictions(
    outputs: Tensor, task: str, scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn network outputs [B, T] into probabilities, or by scale and offset [T] into values in the label's unit.

    The sigmoid is computed in float64: in float32 all logits above 17 become 1.0, and their molecules tie.
    """
    values: NDArray[np.float64] = outputs.double().cpu().numpy()
    return expit(values) if task == "classification" else values * scale + offset
