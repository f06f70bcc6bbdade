"""The node networks of the official configurations of graphium (arXiv 2310.04292): GIN and GINE on LargeMix and ToyMix.

Independent implementation, after the source of graphium 2.4.7 and its `expts/hydra-configs` (`model/gin.yaml`,
`gine.yaml`, `architecture/largemix.yaml`, `toymix.yaml`). `roftbench.data.featurizers.graphium` computes the inputs of
these configurations. `roftbench.models.minimol` is such a network and is tested against the released one.

Positional encodings (width 32) and atom features pass an input network. Each layer is a convolution, a layer norm, GELU
and dropout, and adds the result of the layer before, except for the first and the last one. In training, dropout comes
before the activation of a fully connected layer (except for the last one of an input network, of the Laplacian encoder
and of a convolution) and after the activation of a layer. Two peculiarities of graphium are reproduced: the random sign
flips that are meant for eigenvectors apply to eigenvalues (`flip_eigenvalues`), and the last layer has an activation
although its configuration has none. That dropout follows it there is an assumption.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.featurizers.graphium import ATOM_CLASSES, BOND_CLASSES, NUM_EIGENPAIRS, NUM_FLOATS, NUM_STEPS
from roftbench.data.packed import Batch
from roftbench.errors import check_choice
from roftbench.models.acceleration import Accelerated
from roftbench.models.encoder import Nodes, Site, State, renamed
from roftbench.models.graphium_layers import FC, POSITIONAL, LaplacianEncoder, Layer
from roftbench.models.segment_ops import Wiring, segment_max

NODE_COLUMNS = NUM_FLOATS + sum(ATOM_CLASSES)
EDGE_COLUMNS = sum(BOND_CLASSES) + 1
POOLINGS = ("mean", "max", "sum")

# Keys of a graphium file that do not affect node states, and patterns that rename the others.
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


class Graphium(Accelerated):
    """Network of graphium, by default the GIN of 4 layers of width 768 for LargeMix.

    Args:
        num_layers: number of layers.
        dim: width of the representations.
        hidden: width of the layers before the last.
        node_dim: width of the input states of nodes.
        edge_dim: width of the states of edges; 0 for a GIN without features of bonds, otherwise a GINE.
        dropout: probability of dropout.
        positional_dropout: probability of dropout in the positional encoders.
        flip_eigenvalues: flip signs of eigenvalues in training, as graphium does.
        pooling: "mean", "max" or "sum" over the nodes.
    """

    featurizer: ClassVar[str] = "minimol"
    sync_free: ClassVar[bool] = True
    virtual_nodes: ClassVar[bool] = False

    def __init__(
        self,
        num_layers: int = 4,
        dim: int = 768,
        hidden: int = 768,
        node_dim: int = 64,
        edge_dim: int = 0,
        dropout: float = 0.1,
        positional_dropout: float = 0.1,
        flip_eigenvalues: bool = True,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        if min(num_layers, dim, hidden, node_dim) < 1 or edge_dim < 0:
            raise ValueError("num_layers, dim, hidden and node_dim must be at least 1, edge_dim at least 0")
        if not (0 <= dropout < 1 and 0 <= positional_dropout < 1):
            raise ValueError(f"0 ≤ dropout < 1, 0 ≤ positional_dropout < 1; got {dropout}, {positional_dropout}")
        check_choice("pooling", pooling, POOLINGS)
        self.dim, self.hidden, self.pooling = dim, hidden, pooling
        self.la_pos = LaplacianEncoder(positional_dropout, flip_eigenvalues)
        self.rw_pos = nn.Sequential(
            nn.LayerNorm(NUM_STEPS),
            FC(NUM_STEPS, 64, dropout=positional_dropout, activation=nn.ReLU()),
            FC(64, POSITIONAL, dropout=positional_dropout, activation=nn.ReLU()),
        )
        self.pre_nn = _input_network(POSITIONAL + NODE_COLUMNS, 256, node_dim, dropout)
        self.pre_nn_edges = _input_network(EDGE_COLUMNS, 128, edge_dim, dropout) if edge_dim else None
        self.edge_dropout = dropout > 0
        widths = [node_dim, *[hidden] * (num_layers - 1), dim]
        virtual = [self.virtual_nodes] * (num_layers - 1) + [False]
        self.layers = nn.ModuleList(
            Layer(widths[i], widths[i + 1], edge_dim, dropout, virtual_node=virtual[i]) for i in range(num_layers)
        )

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (everything before the layers) and "layer0", … (each with its virtual node)."""
        parts = (self.la_pos, self.rw_pos, self.pre_nn, self.pre_nn_edges)
        embed = nn.ModuleList(part for part in parts if part is not None)
        return {"embed": embed, **{f"layer{i}": layer for i, layer in enumerate(self.layers)}}

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last layer's output before its dropout."""
        h, (edges, kind), wiring = self.embed_nodes(batch.x), self.embed_edges(batch.edge_attr), Wiring.of(batch)
        carried: Tensor | None = None
        state = h.new_zeros(batch.num_graphs, self.hidden)
        features, last = h, len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            features = layer(h, edges, kind, wiring)
            h = layer.dropout(features)
            if i < last:
                h = carried = h if carried is None else h + carried  # the residual lacks the virtual node
            if layer.virtual_node is not None:
                h, state = layer.virtual_node(h, state, wiring)
        return Nodes(out=h, features=features)

    def sites(self) -> list[Site]:
        """Return each layer with its MLP and layer norm."""
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        return [Site(one, one, one.nn, one.norm_layer, one.widths) for one in layers]

    def atom_inputs(self) -> list[nn.Module]:
        """Return the input network, which reads features and positional encodings."""
        return [self.pre_nn]

    def embed_nodes(self, x: Tensor) -> Tensor:
        """Return the input states of atoms, [N, node_dim], from x [N, 41], in the type of the weights."""
        x = x.to(self.dtype)
        sizes = [NUM_FLOATS, len(ATOM_CLASSES), NUM_EIGENPAIRS, NUM_EIGENPAIRS, NUM_STEPS]
        floats, classes, vectors, values, returns = x.split(sizes, dim=1)
        positional = self.la_pos(vectors, values) + self.rw_pos(returns)
        states: Tensor = self.pre_nn(
            torch.cat([positional, floats, one_hot(classes.long(), ATOM_CLASSES, x.dtype)], dim=1)
        )
        return states

    def embed_edges(self, edge_attr: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return states and kinds of edges, from classes [E, 3].

        Equal edges have equal states unless dropout is active, and there are only 70 kinds of edges.

        Returns:
            None and None if edge_dim is 0; with dropout, the states of all edges, [E, edge_dim], and None; otherwise
            the states of the kinds, [70, edge_dim], and the kind of each edge, [E].
        """
        if self.pre_nn_edges is None:
            return None, None
        if self.edge_dropout and self.pre_nn_edges.training:
            return self.pre_nn_edges(_edge_inputs(edge_attr, self.dtype)), None
        sizes = (*BOND_CLASSES, 2)
        kinds = torch.cartesian_prod(*(torch.arange(size, device=edge_attr.device) for size in sizes))
        kind = (edge_attr[:, 0] * sizes[1] + edge_attr[:, 1]) * sizes[2] + edge_attr[:, 2]
        return self.pre_nn_edges(_edge_inputs(kinds, self.dtype)), kind

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, float32 unless the network was converted."""
        return next(self.pre_nn.parameters()).dtype

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return the mean, maximum or sum over the nodes, [B, dim]."""
        if self.pooling == "max":
            return segment_max(out, batch.node_ptr)
        return torch.segment_reduce(out, self.pooling, offsets=batch.node_ptr, axis=0)

    @property
    def protocol(self) -> int | None:
        """Version 2 with max pooling: up to 1, its gradient was wrong where atoms share the maximum."""
        return 2 if self.pooling == "max" else None

    def translate(self, state: State) -> State:
        """Return the tensors of a graphium file under this encoder's names, without heads and an unused layer norm.

        Other keys are not changed.
        """
        return renamed(state, UNUSED, NAMES)


def one_hot(classes: Tensor, sizes: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return the one-hot vectors of classes [M, K] side by side, [M, Σ sizes]; column k has sizes[k] classes."""
    ones = [
        column[:, None] == torch.arange(size, device=classes.device)
        for column, size in zip(classes.unbind(dim=1), sizes, strict=True)
    ]
    return torch.cat(ones, dim=1).to(dtype)


def _edge_inputs(edge_attr: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.cat([one_hot(edge_attr[:, :2], BOND_CLASSES, dtype), edge_attr[:, 2:].to(dtype)], dim=1)


def _input_network(in_dim: int, hidden: int, out_dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(FC(in_dim, hidden, dropout=dropout, activation=nn.ReLU()), FC(hidden, out_dim))
