"""Contributions of atoms to predictions from ECFP4: exact for linear models, Shapley values for all others.

A molecule without an atom lacks the substructures that contain it, as the substructures are those of the whole
molecule. Without any atom it has none, and its fingerprint is zero: that is the baseline.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator

from roftbench.data.descriptors import BITS, RADIUS
from roftbench.methods.estimator import Predict

ORDERS = 32  # pairs of an order of the atoms and its reverse

Floats = NDArray[np.float64]


class Substructure(NamedTuple):
    """A substructure of a molecule: its bit of the fingerprint, and its atoms."""

    bit: int
    atoms: tuple[int, ...]


def substructures(molecule: Chem.Mol) -> list[Substructure]:
    """Return the circular substructures that a molecule's ECFP4 is made of, each as often as it is counted."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    output = rdFingerprintGenerator.AdditionalOutput()
    output.CollectBitInfoMap()
    with rdBase.BlockLogs():
        generator.GetCountFingerprint(molecule, additionalOutput=output)
    return [
        Substructure(bit, _atoms(molecule, center, radius))
        for bit, places in sorted(output.GetBitInfoMap().items())
        for center, radius in places
    ]


def _atoms(molecule: Chem.Mol, center: int, radius: int) -> tuple[int, ...]:
    atoms = {center}
    if radius:
        for number in Chem.FindAtomEnvironmentOfRadiusN(molecule, radius, center, enforceSize=False):
            bond = molecule.GetBondWithIdx(number)
            atoms |= {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
    return tuple(sorted(atoms))


def linear_contributions(molecule: Chem.Mol, coefficients: Floats, *, counts: bool) -> Floats:
    """Return how the atoms contribute to Σ coefficient · feature, [N], to which they add up.

    Each substructure contributes its coefficient, in equal parts to its atoms, which for counts is their Shapley value.
    A bit that several substructures set is divided between them.
    """
    found = np.zeros(molecule.GetNumAtoms())
    parts = substructures(molecule)
    times = Counter(part.bit for part in parts)
    for bit, atoms in parts:
        found[list(atoms)] += coefficients[bit] / (len(atoms) * (1 if counts else times[bit]))
    return found


def shapley_values(molecule: Chem.Mol, predict: Predict, *, counts: bool) -> tuple[Floats, float, float]:
    """Return the atoms' Shapley values, [N], estimated from random orders, and predictions without and with all atoms.

    In each order the atoms are added one by one, and each contributes the difference that it makes (Castro et al. 2009,
    Comput. Oper. Res. 36, 1726). Orders are used in both directions, which reduces the error. They are the same in each
    call. The values add up to the difference of both predictions.
    """
    atoms, parts = molecule.GetNumAtoms(), substructures(molecule)
    random = np.random.default_rng(0)
    found = np.zeros(atoms)
    ends = np.zeros(2)
    for _ in range(ORDERS):
        order = random.permutation(atoms)
        for one in (order, order[::-1]):
            values = predict(_growing(one, parts, counts=counts))
            found[one] += np.diff(values)
            ends += values[[0, -1]]
    return found / (2 * ORDERS), *(ends / (2 * ORDERS)).tolist()


def _growing(order: NDArray[np.int64], parts: list[Substructure], *, counts: bool) -> NDArray[np.integer]:
    """Return the features of a molecule to which atoms are added in this order, [N + 1, bits]."""
    arrival = np.empty(len(order), np.int64)
    arrival[order] = np.arange(len(order))
    features = np.zeros((len(order) + 1, BITS), np.int32 if counts else np.uint8)
    for bit, atoms in parts:
        complete = arrival[list(atoms)].max() + 1
        if counts:
            features[complete:, bit] += 1
        else:
            features[complete:, bit] = 1
    return features
