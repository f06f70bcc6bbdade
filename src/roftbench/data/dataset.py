"""Data sets ready for training: molecules, labels, packed graphs, and dropped rows with reasons."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import rdkit
import torch
from numpy.typing import NDArray

from roftbench.data import descriptors, duplicates
from roftbench.data.cached_entries import descriptor_entry, graph_entry, other_entry, own_entry, scaffold_entry
from roftbench.data.config import DatasetSpec
from roftbench.data.descriptors import Descriptors
from roftbench.data.dropped_rows import ABSENT, Dropped, cell_notes, no_graph
from roftbench.data.featurizers import hu
from roftbench.data.featurizers.base import OWN, GraphKind
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.packed import PackedGraphs
from roftbench.data.smiles import BLANKS
from roftbench.data.split import Split, Splitter
from roftbench.data.table.load import Table, read_table
from roftbench.errors import UsageError
from roftbench.store.checksums import sha256
from roftbench.store.downloads import Places
from roftbench.store.tensors import Entry, load_or_build

CACHE = 3  # raise it when the format of cached files changes


@dataclass(frozen=True)
class MoleculeDataset:
    """N molecules in file order.

    Attributes:
        spec: description of the data set.
        targets: names of the T labels.
        smiles: SMILES, [N].
        rows: data row of each molecule in the file, from 0, [N].
        y: labels, [N, T], NaN where missing.
        graphs: the "hu" graphs, or those of a file without SMILES; `graphs_of` returns others.
        canonical: hash of each canonical SMILES, or graph, [N].
        parts: "train", "val", "test" or "" per molecule, [N], if the file has its own split.
        cells: cell per molecule of the column that the splitter reads, [N]; None without one.
        dropped: rows without a molecule.
        place: where the file was found.
        cache: file of the cached graphs.
        notes: remarks on how cells were read, for readers of scores.
        whole: the data set before a policy for duplicates, if that has left molecules out.
        position: position of each molecule in `whole`, [N].
    """

    spec: DatasetSpec
    targets: list[str]
    smiles: list[str]
    rows: NDArray[np.int64]
    y: NDArray[np.float64]
    graphs: PackedGraphs
    canonical: NDArray[np.int64]
    parts: list[str] | None
    dropped: list[Dropped]
    place: str
    cache: Path
    notes: tuple[str, ...] = ()
    whole: "MoleculeDataset | None" = None
    position: NDArray[np.int64] | None = None
    cells: list[str] | None = None

    def __len__(self) -> int:
        return len(self.smiles)

    @property
    def num_rows(self) -> int:
        """Number of data rows of the file."""
        return len(self) + len(self.dropped)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of atoms of each molecule, [N]."""
        return self.graphs.sizes

    def scaffold_groups(self) -> NDArray[np.int64]:
        """Return a number per molecule, [N], equal if Bemis-Murcko scaffolds (with chirality) are equal."""
        return self._scaffold_groups

    @cached_property
    def _scaffold_groups(self) -> NDArray[np.int64]:
        self.check_has_smiles("scaffolds")
        group = self.kept_beside("scaffolds", str(hu.VERSION), scaffold_entry)["group"].numpy()
        return group if self.position is None else group[self.position]

    def fingerprints(self) -> NDArray[np.uint8]:
        """Return the packed ECFP4 bits of each molecule, [N, 256]."""
        return self.descriptors().fingerprint

    def descriptors(self) -> Descriptors:
        """Return the descriptors of the N molecules, kept beside the graphs; one file serves every duplicate policy."""
        self.check_has_smiles("fingerprints and descriptors")
        tensors = self.kept_beside("descriptors", str(descriptors.VERSION), descriptor_entry)
        columns = (tensors[field].numpy() for field in Descriptors._fields)
        return Descriptors._make(column if self.position is None else column[self.position] for column in columns)

    def cached(self, kind: str, build: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return integers [N] of these molecules that `build` computes at the first use; `kind` names them."""
        left_out = "" if self.position is None else sha256(self.position.tobytes())
        name = re.sub(r"[^\w.-]", "_", kind)
        path = cache_path(self.cache.parent, f"{name}-{self.spec.name}", f"{self.cache.name} {kind} {left_out}")
        return load_or_build(path, lambda: ({"numbers": torch.from_numpy(build())}, {}))[0]["numbers"].numpy()

    def graphs_of(self, kind: GraphKind | None) -> PackedGraphs:
        """Return the graphs of these N molecules of a kind (None: the "hu" graphs), cached after the first use.

        Their number of atoms may differ from `sizes`. The cache is keyed by that of the "hu" graphs, which decide the
        molecules, by the version of the featurizer and its code, and by the version of RDKit.
        """
        if kind is not None and kind.name == OWN and self.spec.own_graphs is not None:
            return self.graphs
        self.check_has_smiles("the graphs of this model")
        if kind is None:
            return self.graphs
        version = " ".join(filter(None, (str(kind.version), kind.code, kind.target)))
        graphs = PackedGraphs(**self.kept_beside("graphs", version, partial(other_entry, kind), kind.name))
        return graphs if self.position is None else graphs.select(torch.from_numpy(self.position))

    def check_has_smiles(self, what: str) -> None:
        """Raise UsageError if the molecules are graphs without SMILES, which `what` needs."""
        if self.spec.own_graphs is not None:
            hint = "Such data go with model=pyg model.graphs=own, and with split=random, size or a column"
            problem = f"data set {self.spec.name} holds graphs without SMILES: {what} cannot be computed"
            raise UsageError(problem, key="dataset", got=self.spec.name, hint=hint)

    def kept_beside(
        self, kind: str, version: str, build: Callable[[Sequence[str], str], Entry], of: str = ""
    ) -> dict[str, torch.Tensor]:
        """Return tensors of build(smiles, name) for all molecules with a graph, cached in a file beside the graphs.

        The file is the same for every policy for duplicates; select this data set's molecules by `position`.

        Args:
            kind: first part of the file's name.
            version: version of the content, part of the file's key beside that of the graphs and RDKit's version.
            build: function from all SMILES and the name of the data set to the content.
            of: last part of the file's name.
        """
        smiles = self.smiles if self.whole is None else self.whole.smiles
        name = str(self.spec.name)
        stem = "-".join(filter(None, (kind, name, of)))
        path = cache_path(self.cache.parent, stem, f"{self.cache.name} {of} {version}")
        return load_or_build(path, lambda: build(smiles, name))[0]

    def cut(self, splitter: Splitter, ratio: LabelRatio) -> tuple[Split, Split]:
        """Return the split of all molecules, and the parts that are used, reduced to the labels of `ratio`.

        Raises:
            UsageError: the splitter cannot split these molecules, its parts are not disjoint, or there are fewer labels
                than requested.
        """
        split = splitter(self)
        split.check(len(self), type(splitter).__name__)
        return split, self.reduced(split, ratio)

    def reduced(self, split: Split, ratio: LabelRatio) -> Split:
        """Return the split reduced to the labels of a ratio.

        With a single task, molecules without a label are left out where labels are counted, in the training part and
        with a strict budget in the validation part, and the note counts all such molecules.

        Raises:
            UsageError: there are fewer labels than requested.
        """
        counted = self._without_unlabeled(split, val=ratio.is_strict) if self.y.shape[1] == 1 else split
        return ratio.apply(counted, self.y, str(self.spec.task))

    @cached_property
    def labeled(self) -> NDArray[np.bool_]:
        """Whether each molecule has a label of any task, [N]."""
        return np.asarray(~np.isnan(self.y).all(axis=1))

    def _without_unlabeled(self, split: Split, *, val: bool) -> Split:
        unlabeled = ~self.labeled
        count = sum(int(unlabeled[part].sum()) for part in (split.train, split.val, split.test))
        if not count:
            return split
        total = sum(map(len, (split.train, split.val, split.test)))
        note = f"{count} of {total} molecules have no label: none is trained on, and no score counts them"
        train, kept = split.train[self.labeled[split.train]], split.val[self.labeled[split.val]] if val else split.val
        return replace(split, train=train, val=kept, note="; ".join(filter(None, [split.note, note])))

    def resolved(self, policy: str) -> "MoleculeDataset":
        """Return the data set after a policy for duplicates, applied within what the split keeps apart.

        That is the file's own parts if it has them, and equal cells of a column that the split reads: a label of test,
        such as a later one, must not reach train.
        """
        same = self.canonical
        for apart in filter(None, (self.parts, self.cells)):
            _, place = np.unique(apart, return_inverse=True)
            _, same = np.unique(np.stack([same, place]), axis=1, return_inverse=True)
        found = duplicates.resolve(policy, same, self.y, self.rows, str(self.spec.task))
        if not found.dropped:
            return self
        more = [Dropped(int(self.rows[i]), self.smiles[i], reason) for i, reason in found.dropped]
        return replace(
            self,
            smiles=[self.smiles[i] for i in found.kept],
            rows=self.rows[found.kept],
            y=found.y,
            graphs=self.graphs.select(torch.from_numpy(found.kept)),
            canonical=self.canonical[found.kept],
            parts=None if self.parts is None else [self.parts[i] for i in found.kept],
            cells=None if self.cells is None else [self.cells[i] for i in found.kept],
            dropped=sorted([*self.dropped, *more], key=lambda dropped: dropped.row),
            whole=self,
            position=found.kept,
        )


def load_dataset(spec: DatasetSpec, cache_dir: Path, places: Places) -> MoleculeDataset:
    """Return a data set with its graphs, which are computed on the first use and cached.

    The cache is keyed by the file's content, the SMILES column, the featurizer's version and RDKit's version.

    Args:
        spec: description of the data set, completed by `data.table.load.complete`.
        cache_dir: folder of cached graphs.
        places: where published files are looked for.

    Raises:
        UsageError: the file cannot be read, or no molecule in it has a graph and a label.
    """
    table = read_table(spec, places)
    content = spec.asset_sha256 if table.place == "bundled" else spec.sha256
    path = cache_path(cache_dir, f"graphs-{spec.name}", _identity(spec, str(content)))
    entry = partial(graph_entry, table.smiles) if spec.own_graphs is None else own_entry
    tensors, description = load_or_build(path, lambda: entry(spec))
    rows, canonical = (tensors.pop(name).numpy() for name in ("rows", "canonical"))
    if len(rows) == 0:
        raise UsageError(no_graph(spec, description["dropped"]), key="dataset.smiles_column", got=spec.smiles_column)
    smiles = [text.strip(BLANKS) for text in table.smiles]
    for row, text in description["texts"]:
        smiles[row] = text
    absent = set(spec.absent_rows) if table.place == "bundled" else set()
    whole = MoleculeDataset(
        spec=spec,
        targets=table.targets,
        smiles=[smiles[row] for row in rows],
        rows=rows,
        y=_labels(spec, table, rows),
        graphs=PackedGraphs(**tensors),
        canonical=canonical,
        parts=None if table.parts is None else [table.parts[row] for row in rows],
        cells=None if table.cells is None else [table.cells[row] for row in rows],
        dropped=[
            Dropped(row, table.smiles[row], ABSENT if row in absent else reason)
            for row, reason in description["dropped"]
        ],
        place=table.place,
        cache=path,
        notes=(*table.notes, *cell_notes(description["counts"])),
    )
    return whole.resolved(spec.duplicates)


def cache_path(folder: Path, stem: str, identity: str) -> Path:
    """Return the file for a computed result, keyed by `identity` and RDKit's version."""
    digest = sha256(f"{identity} {rdkit.__version__}".encode())[:16]
    return folder / f"{stem}-{digest}.safetensors"


def _identity(spec: DatasetSpec, content: str) -> str:
    """Return what determines the graphs of a data set whose file has this digest."""
    stripped = " strip_salts" if spec.strip_salts else ""
    return f"{content} {spec.smiles_column} {CACHE} {hu.VERSION}{stripped}"


def _labels(spec: DatasetSpec, table: Table, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    y = table.labels[rows]
    if np.isnan(y).all():
        shown = ", ".join(table.targets[:5]) + ", …" * (len(table.targets) > 5)
        raise UsageError(f"data set {spec.name}: no molecule has a label in {shown}", key=", ".join(table.targets))
    return y
