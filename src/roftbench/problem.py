"""The learning problem of a job: graphs and labels on a device, the loss, and scores of predictions."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.data.packed import Batch, PackedGraphs
from roftbench.losses import masked_loss
from roftbench.metrics import METRICS, Metric, evaluate

EVAL_BATCH = 512  # graphs; fixed, because it takes part in the last bits of a score

Forward = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class Problem:
    """Graphs with labels y [N, T] (NaN = missing) and the indices of the three parts, all on one device.

    The network's outputs times `scale` [T] plus `offset` [T] are in the label's unit: 1 and 0 unless targets are
    standardised. Classification outputs are logits.
    """

    graphs: PackedGraphs
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    task: str
    metric: Metric
    loss_name: str
    offset: Tensor
    scale: Tensor

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
    ) -> "Problem":
        """Move everything to the device; the scale comes from the training labels alone."""
        labels = torch.from_numpy(y).float().to(device)
        train, val, test = (torch.from_numpy(part).to(device) for part in parts)
        task = METRICS[metric].task
        offset, scale = (
            torch.zeros(labels.shape[1], device=device),
            torch.ones(labels.shape[1], device=device),
        )
        if standardize and task == "regression":
            seen = y[parts[0]]
            counts = np.maximum((~np.isnan(seen)).sum(0), 1)
            mean = np.nansum(seen, axis=0) / counts
            std = np.sqrt(np.nansum((seen - mean) ** 2, axis=0) / counts)
            offset = torch.from_numpy(mean).float().to(device)
            scale = torch.from_numpy(np.where(std > 0, std, 1.0)).float().to(device)
        return cls(graphs.to(device), labels, train, val, test, task, METRICS[metric], loss, offset, scale)

    @property
    def num_tasks(self) -> int:
        """Number of prediction tasks, T."""
        return self.y.shape[1]

    def loss(self, outputs: Tensor, index: Tensor) -> Tensor:
        """Return the task loss of outputs [B, T] for the graphs `index` [B]."""
        return masked_loss(self.loss_name)(outputs, (self.y[index] - self.offset) / self.scale)

    def eval_batches(self, index: Tensor) -> Iterator[Batch]:
        """Yield the graphs `index` in large batches, in order."""
        return (self.graphs.batch(chunk) for chunk in index.split(EVAL_BATCH))

    def outputs(self, forward: Forward, index: Tensor) -> Tensor:
        """Return what `forward` gives for the graphs `index`, one at least, in order and without gradient: [n, …]."""
        with torch.no_grad():
            return torch.cat([forward(batch) for batch in self.eval_batches(index)])

    def to_predictions(self, outputs: Tensor) -> NDArray[np.float64]:
        """Turn network outputs [B, T] into values in the label's unit, or probabilities."""
        return to_predictions(outputs, self.task, self.scale, self.offset)

    def scores(
        self, predictions: NDArray[np.float64], index: Tensor, names: Collection[str] | None = None
    ) -> dict[str, float | None]:
        """Return metrics for predictions [len(index), T], all if no `names` are given; None where not all finite."""
        y = self.y[index].double().cpu().numpy()
        if not np.isfinite(predictions).all():
            own = [name for name, metric in METRICS.items() if metric.task == self.task]
            return dict.fromkeys(own if names is None else names)
        return evaluate(self.task, y, predictions, names)


def to_predictions(outputs: Tensor, task: str, scale: Tensor, offset: Tensor) -> NDArray[np.float64]:
    """Turn network outputs [B, T] into probabilities, or by scale and offset [T] into values in the label's unit."""
    values = outputs.sigmoid() if task == "classification" else outputs * scale + offset
    return values.double().cpu().numpy()
