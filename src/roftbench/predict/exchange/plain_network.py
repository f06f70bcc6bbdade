"""The encoders of Hu et al. as plain indexing and sums, which ONNX can hold, equal to `roftbench.models.hu`."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.models.encoder import Encoder, Predictor
from roftbench.models.gat import GAT, HEADS, SLOPE, GATLayer
from roftbench.models.gcn import GCN
from roftbench.models.gin import GIN
from roftbench.models.graphsage import GraphSAGE
from roftbench.models.hu import NUM_BOND_TYPES, SELF_LOOP, HuEncoder
from roftbench.models.molclr import MolCLRGCN
from roftbench.predict.calibration import EXTREME

Bonds = tuple[Tensor, Tensor, Tensor]  # source [E], target [E] and one-hot kind [E, 9] of each edge


class PlainNetwork(nn.Module):
    """Networks whose predictions are averaged, from the tensors of a batch to what `roftbench predict` writes.

    Args:
        models: networks with encoders of `SUPPORTED`, in evaluation mode.
        task: "regression" or "classification".
        scale: of regressions, from outputs to the label's unit, [T].
        offset: the summand to that, [T].
        calibration: of classes, slope and offset of the logit, [T, 2].
    """

    scale: Tensor
    offset: Tensor
    calibration: Tensor

    def __init__(
        self, models: Sequence[Predictor], task: str, scale: Tensor, offset: Tensor, calibration: Tensor
    ) -> None:
        super().__init__()
        self.models, self.task = nn.ModuleList(models), task
        for name, values in {"scale": scale, "offset": offset, "calibration": calibration}.items():
            self.register_buffer(name, values.double())

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, graph_index: Tensor, graph_size: Tensor
    ) -> Tensor:
        """Return predictions in the label's unit, or calibrated probabilities, [B, T] float64.

        Args:
            x: classes of atoms, [N, 2].
            edge_index: source and target of each edge, [2, E].
            edge_attr: classes of bonds, [E, 2].
            graph_index: molecule of each atom, [N].
            graph_size: number of atoms of each molecule, [B].
        """
        kinds = torch.cat([F.one_hot(edge_attr[:, 0], NUM_BOND_TYPES), F.one_hot(edge_attr[:, 1], 3)], dim=1)
        bonds = edge_index[0], edge_index[1], kinds.to(torch.float32)
        each = []
        for model in self.models:
            assert isinstance(model, Predictor)
            z = _pooled(_states(model.encoder, x, bonds), graph_index, graph_size)
            if isinstance(model.encoder, MolCLRGCN):
                z = model.encoder.feat_lin(z)
            logits = model.head(z).double()
            each.append(logits.sigmoid() if self.task == "classification" else logits * self.scale + self.offset)
        mean = torch.stack(each).mean(dim=0)
        return self._calibrated(mean) if self.task == "classification" else mean

    def _calibrated(self, probability: Tensor) -> Tensor:
        inside = probability.clamp(EXTREME, 1 - EXTREME)
        slope, offset = self.calibration.unbind(dim=1)
        mapped = (slope * (inside.log() - (1 - inside).log()) + offset).sigmoid()
        return torch.where((slope == 1) & (offset == 0), probability, mapped)


def _states(encoder: Encoder, x: Tensor, bonds: Bonds) -> Tensor:
    assert isinstance(encoder, HuEncoder)
    convolution = SUPPORTED[type(encoder)]
    h: Tensor = encoder.x_embedding1(x[:, 0]) + encoder.x_embedding2(x[:, 1])
    last = len(encoder.gnns) - 1
    for number, (layer, norm) in enumerate(zip(encoder.gnns, encoder.batch_norms, strict=True)):
        h = norm(convolution(layer, h, bonds))
        h = h if number == last else h.relu()
    return h


def _pooled(h: Tensor, graph_index: Tensor, graph_size: Tensor) -> Tensor:
    sums = h.new_zeros(graph_size.shape[0], h.shape[1]).index_add(0, graph_index, h)
    return sums / graph_size[:, None].to(h.dtype)


def _collected(h: Tensor, tables: Tensor, bonds: Bonds) -> Tensor:
    """Return Σ_j (h_j + e_ji) over bonds and the self-loop, [N, d], with bond tables [9, d]."""
    source, target, kinds = bonds
    return (h + _loop(tables)).index_add(0, target, h[source] + kinds @ tables)


def _loop(tables: Tensor) -> Tensor:
    """Return the embedding of a self-loop, whose direction is 0."""
    return tables[SELF_LOOP] + tables[NUM_BOND_TYPES]


def _gin(layer: nn.Module, h: Tensor, bonds: Bonds) -> Tensor:
    out: Tensor = layer.mlp(_collected(h, layer.bond_tables(), bonds))  # type: ignore[operator]
    return out


def _graphsage(layer: nn.Module, h: Tensor, bonds: Bonds) -> Tensor:
    return F.normalize(_collected(layer.linear(h), layer.bond_tables(), bonds), dim=1)  # type: ignore[operator]


def _molclr(layer: nn.Module, h: Tensor, bonds: Bonds) -> Tensor:
    out: Tensor = _collected(h @ layer.weight, layer.bond_tables(), bonds) + layer.bias  # type: ignore[operator]
    return out


def _gcn(layer: nn.Module, h: Tensor, bonds: Bonds) -> Tensor:
    source, target, kinds = bonds
    tables, sent = layer.bond_tables(), layer.linear(h)  # type: ignore[operator]
    ones = torch.ones_like(h[:, 0])
    scale = ones.index_add(0, target, torch.ones_like(kinds[:, 0])).rsqrt()[:, None]
    own = scale * (sent + _loop(tables))
    out: Tensor = scale * own.index_add(0, target, scale[source] * (sent[source] + kinds @ tables))
    return out


def _gat(layer: nn.Module, h: Tensor, bonds: Bonds) -> Tensor:
    assert isinstance(layer, GATLayer)
    source, target, kinds = bonds
    z = layer.weight_linear(h).unflatten(1, (HEADS, -1))
    tables = layer.bond_tables().unflatten(1, (HEADS, -1))
    to, by = layer.att.chunk(2, dim=-1)
    edges = (kinds @ tables.flatten(1)).unflatten(1, (HEADS, -1))
    messages, own = z[source] + edges, z + _loop(tables)
    receives = (z * to).sum(-1)
    scores = F.leaky_relu(receives[target] + (messages * by).sum(-1), SLOPE)  # [E, heads]
    loops = F.leaky_relu(receives + (own * by).sum(-1), SLOPE)
    largest = loops.scatter_reduce(0, target[:, None].expand_as(scores), scores, "amax")
    powers, first = (scores - largest[target]).exp(), (loops - largest).exp()
    total = first.index_add(0, target, powers)
    summed = (first[..., None] * own).index_add(0, target, powers[..., None] * messages)
    out: Tensor = (summed / total[..., None]).mean(dim=1) + layer.bias
    return out


SUPPORTED: dict[type[Encoder], Callable[[nn.Module, Tensor, Bonds], Tensor]] = {
    GIN: _gin,
    GCN: _gcn,
    GraphSAGE: _graphsage,
    GAT: _gat,
    MolCLRGCN: _molclr,
}
