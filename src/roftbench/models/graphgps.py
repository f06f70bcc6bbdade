"""GraphGPS, a graph transformer (Rampášek et al., NeurIPS 2022, arXiv 2205.12454): GPS-deep of PCQM4Mv2 by default.

Independent implementation of the network of the configuration `pcqm4m-GPSdeep+RWSE.yaml` in rampasek/GraphGPS: atom
tables beside a random-walk encoding, 16 layers of gated convolution and attention, GELU, a head of three linear layers.
With its head and one task it has 13,807,345 parameters, as stated by the authors. The encodings have 16 steps (20 is
their width), and the table of chiralities has 4 rows, as quoted from the file in issue 35 of that repository.
"""

from typing import ClassVar

import torch
from torch import nn

from roftbench.data.featurizers.ogb import ATOM_CLASSES, NUM_STEPS
from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes, State, renamed
from roftbench.models.graphgps_layers import GPSLayer, Padding
from roftbench.models.ogb_embeddings import AtomEncoder, BondEncoder
from roftbench.models.segment_ops import Wiring

UNUSED = ("post_mp.", "model.post_mp.")  # head of the published file
NAMES = (
    (r"^model\.(?=encoder\.|layers\.)", ""),
    (r"^encoder\.node_encoder\.encoder1\.", "atom_encoder."),
    (r"^encoder\.node_encoder\.encoder2\.(raw_norm|pe_encoder)\.", r"\1."),
    (r"^encoder\.edge_encoder\.", "bond_encoder."),
)


class GraphGPS(Encoder):
    """Embeddings followed by layers of gated convolution and attention; mean over the nodes.

    Args:
        num_layers: number of layers.
        dim: width of the node states.
        num_heads: heads of the attention.
        walk_dim: columns of a node's first state that encode random walks; the others encode its features.
        dropout: probability of dropout.
        attention_dropout: probability of dropout of attention weights.
    """

    featurizer: ClassVar[str] = "ogb_rwse"

    def __init__(
        self,
        num_layers: int = 16,
        dim: int = 256,
        num_heads: int = 8,
        walk_dim: int = 20,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if num_layers < 1 or num_heads < 1 or not 1 <= walk_dim < dim or dim % num_heads or dim < 4:
            sizes = f"num_layers={num_layers}, dim={dim}, num_heads={num_heads}, walk_dim={walk_dim}"
            raise ValueError(f"num_layers, num_heads ≥ 1, 1 ≤ walk_dim < dim, dim ≥ 4 a multiple of num_heads; {sizes}")
        if not (0 <= dropout < 1 and 0 <= attention_dropout < 1):
            raise ValueError(f"0 ≤ dropout < 1, 0 ≤ attention_dropout < 1; got {dropout}, {attention_dropout}")
        self.dim = dim
        self.atom_encoder = AtomEncoder(dim - walk_dim)
        self.raw_norm = nn.BatchNorm1d(NUM_STEPS)
        self.pe_encoder = nn.Linear(NUM_STEPS, walk_dim)
        self.bond_encoder = BondEncoder(dim)
        self.layers = nn.ModuleList(GPSLayer(dim, num_heads, dropout, attention_dropout) for _ in range(num_layers))

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (atoms, walks and bonds) and "layer0", … ."""
        embed = nn.ModuleList([self.atom_encoder, self.raw_norm, self.pe_encoder, self.bond_encoder])
        return {"embed": embed, **{f"layer{i}": layer for i, layer in enumerate(self.layers)}}

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` and `out` are both the last layer's output, as in the RoFt-Mol code."""
        classes, walks = batch.x.split([len(ATOM_CLASSES), NUM_STEPS], dim=1)
        walks = walks.to(self.pe_encoder.weight.dtype)
        h = torch.cat([self.atom_encoder(classes.long()), self.pe_encoder(self.raw_norm(walks))], dim=1)
        e = self.bond_encoder(batch.edge_attr)
        wiring = Wiring.of(batch)
        padding = Padding.of(batch, wiring)
        for layer in self.layers:
            h, e = layer(h, e, wiring, padding)
        return Nodes(out=h, features=h)

    def atom_inputs(self) -> list[nn.Module]:
        """Return the atom tables and the encoding of random walks, the two parts of a node's first state."""
        return [self.atom_encoder, self.pe_encoder]

    def make_head(self, num_tasks: int) -> nn.Module:
        """Return the head of GraphGPS, dim -> dim/2 -> dim/4 -> T with GELU between."""
        half, quarter = self.dim // 2, self.dim // 4
        return nn.Sequential(
            nn.Linear(self.dim, half),
            nn.GELU(),
            nn.Linear(half, quarter),
            nn.GELU(),
            nn.Linear(quarter, num_tasks),
        )

    def translate(self, state: State) -> State:
        """Return the tensors of the published file under this encoder's names, without its head."""
        return renamed(state, UNUSED, NAMES)
