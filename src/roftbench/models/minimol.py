"""MiniMol: 16 GINE layers with virtual nodes, trained supervised on LargeMix (Kläser et al., arXiv 2404.14986).

Our own implementation of the released network (graphium, arXiv 2310.04292, built it); the inputs are made by
`roftbench.data.minimol_features`. In training mode it does what the released configuration and graphium's code say:
dropout 0.02 in the network and 0.1 in the positional encoders, before the activation of a fully connected layer (but
for the last one of an input network, of the Laplacian encoder and of a convolution) and after the activation of a GINE
layer. Two oddities are kept. The random sign flips meant for the eigenvectors hit the eigenvalues (`flip_eigenvalues`).
The last GINE layer has an activation, against its configuration; that it then has dropout too is our assumption.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.minimol_features import ATOM_CLASSES, BOND_CLASSES, NUM_EIGENPAIRS, NUM_FLOATS, NUM_STEPS
from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes, State
from roftbench.models.minimol_layers import FC, POSITIONAL, LaplacianEncoder, Layer, Wiring

NODE_COLUMNS = NUM_FLOATS + sum(ATOM_CLASSES)
EDGE_COLUMNS = sum(BOND_CLASSES) + 1

# Keys of the released file that play no part in the node states, and our names for the others.
UNUSED = ("model.task_heads.", "model.encoder_manager.pe_encoders.rw_pos.first_normalization.")
NAMES = (
    (r"^model\.(encoder_manager\.pe_encoders\.|gnn\.)?", ""),
    (r"^virtual_node_layers\.(\d+)\.", r"layers.\1.virtual_node."),
    (r"^layers\.(\d+)\.model\.", r"layers.\1."),
    (r"^(pre_nn|pre_nn_edges)\.layers\.", r"\1."),
    (r"\.fully_connected\.", "."),
    (r"^rw_pos\.pe_encoder\.1\.", "rw_pos.2."),
    (r"^rw_pos\.pe_encoder\.0\.", "rw_pos.1."),
    (r"^rw_pos\.pe_encoder\.first_normalization\.", "rw_pos.0."),
)


class MiniMol(Encoder):
    """The released network by default: positional encoders, input networks, 16 layers, maximum over the nodes."""

    featurizer: ClassVar[str] = "minimol"

    def __init__(
        self,
        num_layers: int = 16,
        dim: int = 512,
        hidden: int = 336,
        node_dim: int = 128,
        edge_dim: int = 168,
        dropout: float = 0.02,
        positional_dropout: float = 0.1,
        flip_eigenvalues: bool = True,
    ) -> None:
        super().__init__()
        if min(num_layers, dim, hidden, node_dim, edge_dim) < 1:
            raise ValueError("num_layers, dim, hidden, node_dim and edge_dim must be at least 1")
        if not (0 <= dropout < 1 and 0 <= positional_dropout < 1):
            raise ValueError(f"0 ≤ dropout < 1, 0 ≤ positional_dropout < 1; got {dropout}, {positional_dropout}")
        self.dim, self.hidden = dim, hidden
        self.la_pos = LaplacianEncoder(positional_dropout, flip_eigenvalues)
        self.rw_pos = nn.Sequential(
            nn.LayerNorm(NUM_STEPS),
            FC(NUM_STEPS, 64, dropout=positional_dropout, activation=nn.ReLU()),
            FC(64, POSITIONAL, dropout=positional_dropout, activation=nn.ReLU()),
        )
        self.pre_nn = _input_network(POSITIONAL + NODE_COLUMNS, 256, node_dim, dropout)
        self.pre_nn_edges = _input_network(EDGE_COLUMNS, 128, edge_dim, dropout)
        self.edge_dropout = dropout > 0
        widths = [node_dim, *[hidden] * (num_layers - 1), dim]
        self.layers = nn.ModuleList(
            Layer(widths[i], widths[i + 1], edge_dim, dropout, last=i == num_layers - 1) for i in range(num_layers)
        )

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (all that comes before the layers) and "layer0", … (each with its virtual node)."""
        embed = nn.ModuleList([self.la_pos, self.rw_pos, self.pre_nn, self.pre_nn_edges])
        return {"embed": embed, **{f"layer{i}": layer for i, layer in enumerate(self.layers)}}

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last layer's output before its dropout."""
        h, (edges, kind), wiring = self.embed_nodes(batch.x), self.embed_edges(batch.edge_attr), Wiring.of(batch)
        carried: Tensor | None = None
        state = h.new_zeros(batch.num_graphs, self.hidden)
        features = h
        for layer in self.layers:
            assert isinstance(layer, Layer)
            features = layer(h, edges, kind, wiring)
            h = layer.dropout(features)
            if layer.virtual_node is not None:
                h = carried = h if carried is None else h + carried  # what is carried on lacks the virtual node
                h, state = layer.virtual_node(h, state, wiring)
        return Nodes(out=h, features=features)

    def embed_nodes(self, x: Tensor) -> Tensor:
        """Return the input states [N, node_dim] of atoms x [N, 41]."""
        sizes = [NUM_FLOATS, len(ATOM_CLASSES), NUM_EIGENPAIRS, NUM_EIGENPAIRS, NUM_STEPS]
        floats, classes, vectors, values, returns = x.split(sizes, dim=1)
        positional = self.la_pos(vectors, values) + self.rw_pos(returns)
        states: Tensor = self.pre_nn(torch.cat([positional, floats, one_hot(classes.long(), ATOM_CLASSES)], dim=1))
        return states

    def embed_edges(self, edge_attr: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the states of edges [E, 3], [E, edge_dim] and None; without dropout those of each kind, and the kinds.

        There are 70 kinds, far fewer than edges, and equal edges have equal states unless dropout makes them differ.
        """
        if self.edge_dropout and self.pre_nn_edges.training:
            return self.pre_nn_edges(_edge_inputs(edge_attr)), None
        sizes = (*BOND_CLASSES, 2)
        kinds = torch.cartesian_prod(*(torch.arange(size, device=edge_attr.device) for size in sizes))
        kind = (edge_attr[:, 0] * sizes[1] + edge_attr[:, 1]) * sizes[2] + edge_attr[:, 2]
        return self.pre_nn_edges(_edge_inputs(kinds)), kind

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return the maximum over the nodes, [B, dim]."""
        return torch.segment_reduce(out, "max", offsets=batch.node_ptr, axis=0)

    def translate(self, state: State) -> State:
        """Return the released file's tensors under our names, without its task heads and an unused layer norm.

        Tensors under our names already, or under unknown ones, stay as they are.
        """
        ours: State = {}
        for key, tensor in state.items():
            if not key.startswith(UNUSED):
                for pattern, name in NAMES:
                    key = re.sub(pattern, name, key)
                ours[key] = tensor
        return ours


def one_hot(classes: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the one-hot vectors of classes [M, K], column k having sizes[k] of them, side by side as float32."""
    starts = torch.tensor([sum(sizes[:k]) for k in range(len(sizes))], device=classes.device)
    return torch.zeros(len(classes), sum(sizes), device=classes.device).scatter_(1, classes + starts, 1.0)


def _edge_inputs(edge_attr: Tensor) -> Tensor:
    return torch.cat([one_hot(edge_attr[:, :2], BOND_CLASSES), edge_attr[:, 2:].float()], dim=1)


def _input_network(in_dim: int, hidden: int, out_dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(FC(in_dim, hidden, dropout=dropout, activation=nn.ReLU()), FC(hidden, out_dim))
