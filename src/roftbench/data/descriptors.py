"""What is asked of each molecule alone: fingerprint, connectivity, fragments and rings.

This module runs in worker processes, so it imports nothing heavy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

from roftbench.data.featurizers.hu import parse_smiles, text_hash

VERSION = 1  # raise it when a number of `Descriptors` changes: every cache then rebuilds itself
RADIUS, BITS = 2, 2048  # of the Morgan fingerprint


class Descriptors(NamedTuple):
    """N molecules.

    fingerprint [N, 256] uint8: the 2048 bits of the Morgan fingerprint of radius 2, packed (ECFP4 of Rogers & Hahn
    2010, J. Chem. Inf. Model. 50, 742). connectivity [N] int64: a hash of the first block of the standard InChIKey,
    which is equal for stereoisomers, isotopes, protonation states and tautomers of a mobile hydrogen, but not for
    salts with different counter-ions (Heller et al. 2015, J. Cheminf. 7, 23). no_inchi [N] bool: InChI has failed;
    the canonical SMILES stands for the connectivity. fragments and rings [N] int32: how many.
    """

    fingerprint: NDArray[np.uint8]
    connectivity: NDArray[np.int64]
    no_inchi: NDArray[np.bool_]
    fragments: NDArray[np.int32]
    rings: NDArray[np.int32]


def describe_chunk(smiles: Sequence[str]) -> Descriptors:
    """Return the descriptors of some SMILES, each of which has a graph."""
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
    """How often the substructures of N molecules occur, the M that do occur one after the other.

    size [N] int32: how many bits a molecule has; bit [M] int32: which, ascending; times [M] int32: how often.
    """

    size: NDArray[np.int32]
    bit: NDArray[np.int32]
    times: NDArray[np.int32]


def count_chunk(smiles: Sequence[str]) -> Counts:
    """Return the counts behind the fingerprints of some SMILES, each of which has a graph."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    with rdBase.BlockLogs():
        found = [generator.GetCountFingerprint(parse_smiles(text)).GetNonzeroElements() for text in smiles]
    pairs = np.array([pair for one in found for pair in sorted(one.items())], np.int32).reshape(-1, 2)
    return Counts(np.array([len(one) for one in found], np.int32), pairs[:, 0].copy(), pairs[:, 1].copy())


def join(chunks: Sequence[Descriptors]) -> Descriptors:
    """Return chunks (at least one) as one."""
    return Descriptors._make(np.concatenate(column) for column in zip(*chunks, strict=True))


def _first_block(molecule: Chem.Mol) -> str:
    """Return the 14 letters that stand for the connectivity, "" where InChI fails (more than 1,023 atoms, say)."""
    try:
        return str(Chem.MolToInchiKey(molecule))[:14]
    except (RuntimeError, ValueError):
        return ""
