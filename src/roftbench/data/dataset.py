"""A data set ready for training: molecules kept, labels, packed graphs, and the rows that were dropped and why."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import rdkit
import torch
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold
from tqdm import tqdm

from roftbench.data import featurize
from roftbench.data.packed import PackedGraphs
from roftbench.data.table import DatasetSpec, read_table
from roftbench.errors import UsageError
from roftbench.files import Entry, load_or_build


@dataclass(frozen=True)
class Dropped:
    """A row without a graph: its data row (from 0), its SMILES, and the reason."""

    row: int
    smiles: str
    reason: str


@dataclass(frozen=True)
class MoleculeDataset:
    """N molecules in file order: smiles [N], rows [N] (data row in the file), y [N, T] with NaN = no label, graphs."""

    spec: DatasetSpec
    smiles: list[str]
    rows: NDArray[np.int64]
    y: NDArray[np.float64]
    graphs: PackedGraphs
    dropped: list[Dropped]
    cache: Path

    def __len__(self) -> int:
        return len(self.smiles)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of atoms of each molecule, [N]."""
        return self.graphs.sizes

    @cached_property
    def _scaffold_groups(self) -> NDArray[np.int64]:
        path = self.cache.with_name(self.cache.name.replace("graphs-", "scaffolds-"))
        tensors, _ = load_or_build(path, lambda: _scaffold_entry(self.smiles, str(self.spec.name)))
        return tensors["group"].numpy()

    def scaffold_groups(self) -> NDArray[np.int64]:
        """Return a number for each molecule, [N], equal where Bemis-Murcko scaffolds (with chirality) are equal."""
        return self._scaffold_groups


def load_dataset(spec: DatasetSpec, cache_dir: Path) -> MoleculeDataset:
    """Read a data set (a completed spec) and its graphs; featurise on the first use, from the cache afterwards.

    The cache is keyed by the file's content, the SMILES column, the featuriser's version and RDKit's version.

    Raises:
        UsageError: the file cannot be read or holds no molecule that has a graph and a label.
    """
    table = read_table(spec)
    identity = f"{spec.sha256} {spec.smiles_column} {featurize.VERSION} {rdkit.__version__}"
    path = cache_dir / f"graphs-{spec.name}-{sha256(identity.encode()).hexdigest()[:16]}.safetensors"
    tensors, description = load_or_build(path, lambda: _graph_entry(table.smiles, str(spec.name)))
    rows = tensors.pop("rows").numpy()
    if len(rows) == 0:
        raise UsageError(
            f"data set {spec.name}: no row of {len(table.smiles)} has a graph; is '{spec.smiles_column}' SMILES?"
        )
    y = table.labels[rows]
    if np.isnan(y).all():
        raise UsageError(f"data set {spec.name}: no molecule has a label in {', '.join(spec.targets or [])}")
    return MoleculeDataset(
        spec=spec,
        smiles=[table.smiles[row].strip() for row in rows],
        rows=rows,
        y=y,
        graphs=PackedGraphs(**tensors),
        dropped=[Dropped(**row) for row in description["dropped"]],
        cache=path,
    )


def _graph_entry(smiles: Sequence[str], name: str) -> Entry:
    graphs, rows = [], []
    dropped: list[dict[str, Any]] = []
    for row, text in enumerate(tqdm(smiles, desc=f"featurise {name}", unit="mol", disable=None, leave=False)):
        try:
            graphs.append(featurize.smiles_to_graph(text))
            rows.append(row)
        except featurize.FeaturizeError as error:
            dropped.append({"row": row, "smiles": text, "reason": str(error)})
    packed = PackedGraphs.from_graphs(graphs)
    tensors = {field.name: getattr(packed, field.name) for field in fields(packed)}
    return {**tensors, "rows": torch.tensor(rows, dtype=torch.int64)}, {"dropped": dropped}


def _scaffold_entry(smiles: Sequence[str], name: str) -> Entry:
    numbers: dict[str, int] = {}
    group = []
    for text in tqdm(smiles, desc=f"scaffolds of {name}", unit="mol", disable=None, leave=False):
        scaffold = scaffold_smiles(text)
        group.append(numbers.setdefault(scaffold, len(numbers)))
    return {"group": torch.tensor(group, dtype=torch.int64)}, {}


def scaffold_smiles(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold with chirality, computed from RDKit's canonical SMILES ("" without rings)."""
    canonical = Chem.MolToSmiles(featurize.parse_smiles(smiles))
    with rdBase.BlockLogs():
        return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=canonical, includeChirality=True))
