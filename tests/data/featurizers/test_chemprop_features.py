"""The graphs of chemprop's classes, against values that follow from the molecules."""

import numpy as np
import pytest
import torch
from encoders import SMILES

from roftbench.data.featurizers.chemprop import MASS, REVERSE, ChempropFeaturizer, smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.models.multi_hot import KINDS, MultiHot, bond_kind

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
WIDTHS = {"v1": (133, 14), "v2": (72, 14), "organic": (44, 14), "rigr": (52, 2)}


def hot(vector: torch.Tensor) -> list[int]:
    return vector.nonzero().flatten().tolist()


def test_classes_of_atoms() -> None:
    x = smiles_to_graph("C[C@@H]([NH3+])C#N").x
    assert x.dtype == np.float32
    columns = x[:, :MASS].astype(int).tolist()
    # Number, degree, charge, chirality (1 clockwise, 2 counter-clockwise), hydrogens, hybridization, aromatic.
    assert columns[0] == [6, 4, 4, 0, 3, 4, 0]
    assert columns[1] == [6, 4, 4, columns[1][3], 1, 4, 0]
    assert columns[1][3] in (1, 2)
    assert columns[2] == [7, 4, 2, 0, 3, 4, 0]
    assert columns[4] == [7, 1, 4, 0, 0, 1, 0]


def test_values_beyond_the_lists_are_other() -> None:
    x = smiles_to_graph("F[U](F)(F)(F)(F)(F)F.[Fe+3]").x[:, :MASS].astype(int)
    assert x[1].tolist()[:2] == [92, 6]  # seven neighbors: beyond 5
    assert x[8].tolist()[2] == 5
    assert x[8].tolist()[0] == 26


def test_isotopes_have_their_mass() -> None:
    x = smiles_to_graph("[13CH3]C").x
    assert x[0, MASS] == np.float32(0.01 * 13.003354835)
    assert x[1, MASS] == np.float32(0.01 * 12.011)


def test_classes_of_bonds() -> None:
    attr = smiles_to_graph("F/C=C/c1ccccc1").edge_attr
    assert attr[0].tolist()[:REVERSE] == [0, 0, 0, 0]
    assert attr[2].tolist()[:REVERSE] == [1, 1, 0, 3]  # double, conjugated, STEREOE
    assert attr[-1].tolist()[:REVERSE] == [3, 1, 1, 0]
    assert np.array_equal(attr[0::2, :REVERSE], attr[1::2, :REVERSE])


def test_the_rank_leads_to_the_reverse_edge() -> None:
    chunk = ChempropFeaturizer().pack(SMILES)
    batch = PackedGraphs.from_chunks([chunk]).batch(torch.arange(len(SMILES)))
    source, target = batch.edge_index
    reverse = batch.edge_ptr[source] + batch.edge_attr[:, REVERSE]
    assert torch.equal(source[reverse], target)
    assert torch.equal(target[reverse], source)
    assert torch.equal(reverse[reverse], torch.arange(len(source)))


@EVERY_KIND
def test_vectors_have_the_widths_of_chemprop(kind: str) -> None:
    vectors = MultiHot(kind)
    assert (vectors.num_atom, vectors.num_bond) == WIDTHS[kind]
    assert not list(vectors.parameters())
    assert not vectors.state_dict()


def test_vectors_of_atoms_by_hand() -> None:
    """Columns of v2: 37 elements and other, 7 degrees, 6 charges, 5 chiralities, 6 hydrogens, 8 hybridizations."""
    x = torch.from_numpy(smiles_to_graph("CI").x)
    carbon, iodine = MultiHot("v2")(x)
    assert hot(carbon) == [5, 38 + 4, 45 + 4, 51, 56 + 3, 62 + 4, 71]
    assert hot(iodine) == [36, 38 + 1, 45 + 4, 51, 56, 62 + 4, 71]
    assert carbon[71] == pytest.approx(0.12011)
    assert hot(MultiHot("v1")(x)[1])[0] == 52
    assert hot(MultiHot("organic")(x)[1])[:2] == [11, 13 + 1]
    assert hot(MultiHot("rigr")(x)[1]) == [36, 38 + 1, 45, 51]


def test_vectors_of_bonds_by_hand() -> None:
    attr = torch.from_numpy(smiles_to_graph("F/C=C/F").edge_attr)
    double = MultiHot("v2").bonds[bond_kind(attr)][2]
    assert hot(double) == [2, 7 + 3]  # neither conjugated nor in a ring
    ring = torch.from_numpy(smiles_to_graph("C1CC1").edge_attr)
    assert hot(MultiHot("v2").bonds[bond_kind(ring)][0]) == [1, 6, 7]
    assert hot(MultiHot("rigr").bonds[bond_kind(ring)][0]) == [1]
