"""Descriptors of single molecules: fingerprint, connectivity, fragments and rings.

This module runs in worker processes, so it imports nothing heavy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

from roftbench.data.featurizers.hu import parse_smiles, text_hash

VERSION = 1  # raise it when a descriptor changes; caches are then rebuilt
RADIUS, BITS = 2, 2048  # of the Morgan fingerprint


class Descriptors(NamedTuple):
    """Descriptors of N molecules.

    Attributes:
        fingerprint: the 2048 bits of the Morgan fingerprint of radius 2 (ECFP4; Rogers and Hahn, J. Chem. Inf. Model.
            50, 742, 2010), packed, [N, 256] uint8.
        connectivity: hash of the first block of the standard InChIKey, [N] int64. It is equal for stereoisomers,
            isotopes, protonation states and tautomers of a mobile hydrogen, but not for salts with different
            counter-ions (Heller et al., J. Cheminf. 7, 23, 2015).
        no_inchi: whether InChI fails, so that `connectivity` is a hash of the canonical SMILES, [N].
        fragments: number of fragments, [N] int32.
        rings: number of rings, [N] int32.
    """

    fingerprint: NDArray[np.uint8]
    connectivity: NDArray[np.int64]
    no_inchi: NDArray[np.bool_]
    fragments: NDArray[np.int32]
    rings: NDArray[np.int32]


def describe_chunk(smiles: Sequence[str]) -> Descriptors:
    """Return the descriptors of some SMILES that have graphs."""
    molecules = [parse_smiles(text) for text in smiles]
    with rdBase.BlockLogs():
        blocks = [_first_block(molecule) for molecule in molecules]
        keys = [block or Chem.MolToSmiles(one) for block, one in zip(blocks, molecules, strict=True)]
    return Descriptors(
        fingerprints(molecules),
        np.array([text_hash(key) for key in keys], np.int64),
        np.array([not block for block in blocks], np.bool_),
        np.array([len(Chem.GetMolFrags(molecule)) for molecule in molecules], np.int32),
        np.array([molecule.GetRingInfo().NumRings() for molecule in molecules], np.int32),
    )


def fingerprints(molecules: Sequence[Chem.Mol]) -> NDArray[np.uint8]:
    """Return the packed bits [N, 256] of the Morgan fingerprints of N molecules."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    with rdBase.BlockLogs():
        bits = b"".join(DataStructs.BitVectToBinaryText(generator.GetFingerprint(one)) for one in molecules)
    return np.frombuffer(bits, np.uint8).reshape(-1, BITS // 8)


class Counts(NamedTuple):
    """Sparse counts of substructures in N molecules: M entries, molecule by molecule.

    Attributes:
        size: number of entries per molecule, [N] int32.
        bit: bit of each entry, ascending per molecule, [M] int32.
        times: count of each entry, [M] int32.
    """

    size: NDArray[np.int32]
    bit: NDArray[np.int32]
    times: NDArray[np.int32]


def count_chunk(smiles: Sequence[str]) -> Counts:
    """Return the substructure counts of some SMILES that have graphs."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    with rdBase.BlockLogs():
        found = [generator.GetCountFingerprint(parse_smiles(text)).GetNonzeroElements() for text in smiles]
    pairs = np.array([pair for one in found for pair in sorted(one.items())], np.int32).reshape(-1, 2)
    return Counts(np.array([len(one) for one in found], np.int32), pairs[:, 0].copy(), pairs[:, 1].copy())


def join(chunks: Sequence[Descriptors]) -> Descriptors:
    """Return the concatenation of chunks, at least one."""
    return Descriptors._make(np.concatenate(column) for column in zip(*chunks, strict=True))


def _first_block(molecule: Chem.Mol) -> str:
    """Return the first block of the InChIKey, 14 letters, or "" where InChI fails, as for more than 1,023 atoms."""
    try:
        return str(Chem.MolToInchiKey(molecule))[:14]
    except (RuntimeError, ValueError):
        return ""
