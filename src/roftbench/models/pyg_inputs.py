"""What encoders of PyTorch Geometric read: codes of atoms and bonds, and graphs of a data set without SMILES."""

from torch import Tensor, nn

from roftbench.data.featurizers import ogb, pyg
from roftbench.data.featurizers.base import OWN
from roftbench.errors import UsageError

GRAPHS = {"pyg": (pyg.ATOM_CLASSES, pyg.BOND_CLASSES), "ogb": (ogb.ATOM_CLASSES, ogb.BOND_CLASSES)}
INPUTS = ("embed", "float", "codes")


def classes_of(graphs: str, inputs: str, columns: list[int] | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the number of codes of each column of atoms and bonds; 1 for those of own graphs, which have no codes.

    Raises:
        UsageError: the data set has no graphs of its own, or they cannot be embedded.
    """
    if graphs != OWN:
        return GRAPHS[graphs]
    if columns is None:
        problem = "graphs=own reads the graphs of a data set without SMILES (dataset=pyg dataset.path=FILE.pt)"
        raise UsageError(problem, key="graphs", got=graphs, hint="Give model.graphs=pyg where there are SMILES")
    if inputs == "embed":
        hint = "Give model.inputs=float, or codes for integers as they are"
        problem = "inputs=embed needs the number of codes of each column, which graphs of your own do not state"
        raise UsageError(problem, key="inputs", got=inputs, hint=hint)
    return (1,) * columns[0], (1,) * columns[1]


class Codes(nn.Module):
    """Sum of one embedding per integer column, as of OGB's atom and bond encoders."""

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """Return a vector per row of codes [N, F], [N, width]."""
        found: Tensor = sum(table(codes[:, i]) for i, table in enumerate(self.tables))
        return found
