"""What is to be predicted of a molecule: per task one class that reads it from RDKit and turns it into tensors."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors, rdFingerprintGenerator
from torch import Tensor

from roftbench.data.packed import PackedGraphs

NUM_TOKENS, NUM_ENVIRONMENTS, NUM_COUNTED, NUM_MOTIFS, NUM_HASHED = 1000, 1000, 48, 256, 1024
LARGEST = 1e30
RARE = 0.002  # a descriptor that differs from its commonest value in fewer molecules says too little
# Labels of a benchmark, or made of one: Crippen's logP estimates what Lipo measures, and QED contains it.
LABELS = ("MolLogP", "SlogP_VSA", "BCUT2D_LOGP", "qed")
UNUSABLE = ("Ipc", "AvgIpc", "BCUT2D", "SPS")  # beyond float32 for large molecules, or undefined for small ones


class Targets(ABC):
    """Collects the raw targets of molecule after molecule."""

    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def describe(molecule: Chem.Mol) -> Any:
        """Return the raw target of one molecule; called in worker processes."""

    @abstractmethod
    def add(self, value: Any) -> None:
        """Take the raw target of the next molecule."""

    @abstractmethod
    def tensors(self, graphs: PackedGraphs) -> dict[str, Tensor]:
        """Return the targets of all molecules added."""

    names: list[str]


class Structure(Targets):
    """Of the graph itself: atom tokens, environments, composition.

    tokens [ΣN] and environments [ΣN] int16, both counted from the most frequent; those rarer than the NUM_TOKENS and
    NUM_ENVIRONMENTS most frequent ones are -1. composition [G, 1 + NUM_COUNTED + NUM_MOTIFS]: log of the number of
    atoms, log of 1 + how many of each frequent token, and of 1 + how many of each frequent environment (motif).
    """

    name = "masking"

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._tokens: list[int] = []
        self.names = []

    @staticmethod
    def describe(molecule: Chem.Mol) -> list[str]:
        """Return one token an atom: element, formal charge, hydrogens, degree, aromaticity, smallest ring."""
        rings = molecule.GetRingInfo()
        return [
            f"{atom.GetSymbol()}{atom.GetFormalCharge():+d}H{atom.GetTotalNumHs()}D{atom.GetDegree()}"
            f"{'a' if atom.GetIsAromatic() else '-'}R{rings.MinAtomRingSize(atom.GetIdx())}"
            for atom in molecule.GetAtoms()
        ]

    def add(self, value: list[str]) -> None:
        """Take the tokens of the next molecule."""
        self._tokens += [self._codes.setdefault(token, len(self._codes)) for token in value]

    def tensors(self, graphs: PackedGraphs) -> dict[str, Tensor]:
        """Return tokens, environments and composition."""
        counts = Counter(self._tokens)
        order = sorted(self._codes, key=lambda token: -counts[self._codes[token]])
        rank = np.empty(len(order), np.int16)
        rank[[self._codes[token] for token in order]] = np.arange(len(order))
        tokens = torch.from_numpy(rank[self._tokens])
        around = environments(graphs, tokens)
        log_size = torch.from_numpy(graphs.sizes).float().log()[:, None]
        composition = [log_size, log_counts(graphs, tokens, NUM_COUNTED), log_counts(graphs, around, NUM_MOTIFS)]
        self.names = order[:NUM_TOKENS]
        common = torch.where(tokens < NUM_TOKENS, tokens, -1)
        return {"tokens": common, "environments": around, "composition": torch.cat(composition, dim=1)}


class PhysicalChemistry(Targets):
    """RDKit's 2-D descriptors but those in LABELS, each mapped to normal scores by its ranks: descriptors [G, D]."""

    name = "descriptors"
    functions: ClassVar = [
        (name, function) for name, function in Descriptors.descList if not name.startswith(LABELS + UNUSABLE)
    ]

    def __init__(self) -> None:
        self._rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
        self.names = []

    @staticmethod
    def describe(molecule: Chem.Mol) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Return the descriptors of one molecule; NaN where one is undefined."""
        with rdBase.BlockLogs():
            values = [_value(function, molecule) for _, function in PhysicalChemistry.functions]
        return np.array(values, np.float32)

    def add(self, value: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """Take the descriptors of the next molecule."""
        self._rows.append(value)

    def tensors(self, graphs: PackedGraphs) -> dict[str, Tensor]:
        """Return the normal scores of those descriptors that vary."""
        raw = np.stack(self._rows)
        columns = {}
        for (name, _), values in zip(self.functions, raw.T, strict=True):
            scores, varied = normal_scores(values)
            if varied >= RARE:
                columns[name] = scores
        self.names = list(columns)
        return {"descriptors": torch.stack(list(columns.values()), dim=1)}


class Substructures(Targets):
    """Counts of circular substructures up to two bonds from each atom, hashed: substructures [G, NUM_HASHED] uint8.

    Morgan fingerprints without stereochemistry (Rogers and Hahn 2010, J. Chem. Inf. Model. 50, 742).
    """

    name = "substructures"
    _fingerprints: ClassVar = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=NUM_HASHED)

    def __init__(self) -> None:
        self._rows: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = []
        self.names = []

    @staticmethod
    def describe(molecule: Chem.Mol) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        """Return the counts of one molecule, at most 255."""
        counts = Substructures._fingerprints.GetCountFingerprintAsNumPy(molecule)
        return np.asarray(np.minimum(counts, 255), np.uint8)

    def add(self, value: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
        """Take the counts of the next molecule."""
        self._rows.append(value)

    def tensors(self, graphs: PackedGraphs) -> dict[str, Tensor]:
        """Return the counts."""
        self.names = [f"Morgan count {number} of {NUM_HASHED}, radius 2" for number in (1, NUM_HASHED)]
        return {"substructures": torch.from_numpy(np.stack(self._rows))}


TARGETS: tuple[type[Targets], ...] = (Structure, PhysicalChemistry, Substructures)


def _value(function: Callable[[Chem.Mol], float], molecule: Chem.Mol) -> float:
    """Return a descriptor; NaN where it is undefined or beyond float32, as for some metals and ions."""
    try:
        value = function(molecule)
    except (ArithmeticError, RuntimeError, ValueError, IndexError):
        return math.nan
    return value if abs(value) < LARGEST else math.nan


def normal_scores(values: np.ndarray[Any, Any]) -> tuple[Tensor, float]:
    """Map values [G] to the normal distribution by their ranks (ties share the mean rank), to variance 1; NaN to 0.

    Returns the scores [G] and the share of values that differ from the commonest one.
    """
    known = ~np.isnan(values)
    _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    if len(counts) == 0:
        return torch.zeros(len(values)), 0.0
    ranks = torch.from_numpy(np.cumsum(counts) - 0.5 * counts)
    scores = torch.zeros(len(values))
    known_scores = torch.special.ndtri(ranks / known.sum())[torch.from_numpy(inverse)]
    known_scores -= known_scores.mean()
    scores[torch.from_numpy(known)] = (known_scores / known_scores.std().clamp_min(1e-9)).float()
    return scores, 1.0 - float(counts.max()) / len(values)


def log_counts(graphs: PackedGraphs, kinds: Tensor, number: int) -> Tensor:
    """Return log(1 + how many atoms of each molecule are of kind 0 … number - 1), [G, number]."""
    molecule = torch.repeat_interleave(torch.arange(len(graphs)), torch.from_numpy(graphs.sizes))
    counted = (kinds >= 0) & (kinds < number)
    flat = molecule[counted] * number + kinds[counted]
    return torch.bincount(flat, minlength=len(graphs) * number).view(-1, number).float().log1p()


def environments(graphs: PackedGraphs, tokens: Tensor) -> Tensor:
    """Return the index of each atom's environment: its token with its bonds and neighboring elements, [ΣN].

    Equal environments get equal sums of random 64-bit numbers (one step of Weisfeiler and Lehman's refinement).
    """
    random = np.random.default_rng(0)
    own = random.integers(2**63, size=int(tokens.max()) + 1)
    neighbor = random.integers(2**63, size=(4, 120))
    first = np.repeat(graphs.node_ptr[:-1].numpy(), graphs.edge_ptr.diff().numpy())
    source = first + graphs.source.numpy()
    terms = neighbor[graphs.edge_attr[:, 0].numpy(), graphs.x[:, 0].numpy()[source]]
    # Sums that wrap around stay exact, so differences of a running total give the sum over each atom's bonds.
    total = np.concatenate([[0], np.cumsum(terms)])
    end = np.cumsum(graphs.degree.numpy())
    hashes = own[tokens.numpy()] + total[end] - total[end - graphs.degree.numpy()]
    _, index, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return torch.from_numpy(np.where(rank[index] < NUM_ENVIRONMENTS, rank[index], -1)).to(torch.int16)
