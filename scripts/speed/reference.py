"""A textbook counterpart to time roftbench against: the GIN of Hu et al. (ICLR 2020) as PyTorch Geometric teaches it.

Messages carry edge embeddings, self-loops are added in every layer, a DataLoader collates Python objects.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MessagePassing, global_mean_pool
from torch_geometric.utils import add_self_loops

from roftbench.models.hu import NUM_ATOM_TYPES, NUM_BOND_DIRECTIONS, NUM_BOND_TYPES, NUM_CHIRALITIES, SELF_LOOP
from roftbench.runner.objective import Objective


class EdgeGIN(MessagePassing):  # type: ignore[misc]  # PyG is not typed
    """One layer: the sum over neighbors of state plus edge embedding, then an MLP."""

    def __init__(self, dim: int) -> None:
        super().__init__(aggr="add")
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.edge_embedding1 = nn.Embedding(NUM_BOND_TYPES, dim)
        self.edge_embedding2 = nn.Embedding(NUM_BOND_DIRECTIONS, dim)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Return new node states [N, d]."""
        edge_index, _ = add_self_loops(edge_index, num_nodes=len(x))
        loops = torch.tensor([[SELF_LOOP, 0]], dtype=edge_attr.dtype, device=x.device).expand(len(x), 2)
        edge_attr = torch.cat([edge_attr, loops])
        embedding = self.edge_embedding1(edge_attr[:, 0]) + self.edge_embedding2(edge_attr[:, 1])
        out: Tensor = self.mlp(self.propagate(edge_index, x=x, edge_attr=embedding))
        return out

    def message(self, x_j: Tensor, edge_attr: Tensor) -> Tensor:
        """Return a message for each edge, [E, d]."""
        return x_j + edge_attr


class ReferenceEncoder(nn.Module):
    """Five layers, 300 wide; the key names are those of `roftbench.models.gin.GIN`."""

    def __init__(self, dim: int = 300, layers: int = 5, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = dropout
        self.x_embedding1 = nn.Embedding(NUM_ATOM_TYPES, dim)
        self.x_embedding2 = nn.Embedding(NUM_CHIRALITIES, dim)
        self.gnns = nn.ModuleList(EdgeGIN(dim) for _ in range(layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(layers))

    def forward(self, batch: Data) -> tuple[Tensor, Tensor]:
        """Return node states [N, d], and the last layer's output before its batch norm [N, d]."""
        h = features = self.x_embedding1(batch.x[:, 0]) + self.x_embedding2(batch.x[:, 1])
        for i, (layer, norm) in enumerate(zip(self.gnns, self.batch_norms, strict=True)):
            features = layer(h, batch.edge_index, batch.edge_attr)
            h = norm(features)
            h = F.dropout(h if i == len(self.gnns) - 1 else F.relu(h), self.dropout, training=self.training)
        return h, features


class ReferenceModel(nn.Module):
    """Encoder, mean pooling, linear head."""

    def __init__(self, tasks: int, dim: int = 300) -> None:
        super().__init__()
        self.encoder = ReferenceEncoder(dim)
        self.head = nn.Linear(dim, tasks)

    def forward(self, batch: Data) -> Tensor:
        """Return logits [B, T]."""
        logits: Tensor = self.head(global_mean_pool(self.encoder(batch)[0], batch.batch))
        return logits


def molecules(objective: Objective, index: Tensor) -> list[Data]:
    """Return the graphs `index` with their labels as PyG objects."""
    found = []
    for one in index:
        graph = objective.graphs.batch(one[None])
        y = objective.targets[one][None]
        found.append(Data(x=graph.x, edge_index=graph.edge_index, edge_attr=graph.edge_attr, y=y))
    return found


def loaders(objective: Objective, batch_size: int) -> list[DataLoader]:
    """Return the loaders of train (shuffled), val and test, without worker processes, which are slower here."""
    return [
        DataLoader(molecules(objective, part), batch_size=batch_size, shuffle=number == 0)
        for number, part in enumerate((objective.train, objective.val, objective.test))
    ]


def task_loss(task: str, logits: Tensor, y: Tensor) -> Tensor:
    """Return the batch's RMSE, or its binary cross-entropy over the labels that are there, in float64."""
    logits, y = logits.double(), y.double()
    if task == "regression":
        return F.mse_loss(logits, y).sqrt()
    present = ~torch.isnan(y)
    values = F.binary_cross_entropy_with_logits(logits, torch.where(present, y, 0.0), reduction="none")
    return torch.where(present, values, 0.0).sum() / present.sum()


def evaluate(model: nn.Module, loader: DataLoader, task: str) -> float:
    """Return RMSE, or the mean ROC-AUC over tasks that have both classes."""
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        pairs = [(model(batch.to(device)).cpu(), batch.y.cpu()) for batch in loader]
    prediction, y = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
    if task == "regression":
        return float(np.sqrt(np.mean((prediction - y) ** 2)))
    scores = []
    for column in range(y.shape[1]):
        present = ~np.isnan(y[:, column])
        if len(np.unique(y[present, column])) == 2:
            scores.append(roc_auc_score(y[present, column], prediction[present, column]))
    return float(np.mean(scores))


def evaluate_all(model: nn.Module, parts: Sequence[DataLoader], task: str) -> list[float]:
    """Return the scores of several parts."""
    return [evaluate(model, part, task) for part in parts]
