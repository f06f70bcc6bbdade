"""Contributions on ECFP4: substructures are those of the fingerprint, linear ones are exact, others add up."""

from functools import partial

import numpy as np
import pytest

from roftbench.data.descriptors import BITS
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.methods.linear import linear
from roftbench.models.ecfp import ECFP
from roftbench.predict.explanation.fingerprints import linear_contributions, shapley_values, substructures

SMILES = ["OC(CN)c1ccccc1", "C", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "CCCCCCN"]


@pytest.mark.parametrize("smiles", SMILES)
def test_substructures_make_up_the_fingerprint(smiles: str) -> None:
    counts = np.bincount([part.bit for part in substructures(parse_smiles(smiles))], minlength=BITS)
    assert (ECFP(counts=True).of_smiles([smiles])[0] == counts).all()
    assert (ECFP().of_smiles([smiles])[0] == (counts > 0)).all()


def test_atoms_of_a_substructure_are_those_within_its_radius() -> None:
    found = {part.atoms for part in substructures(parse_smiles("CCON"))}
    assert found == {(0,), (1,), (2,), (3,), (0, 1), (0, 1, 2), (1, 2, 3), (2, 3), (0, 1, 2, 3)}


@pytest.mark.parametrize("counts", [False, True])
def test_linear_contributions_are_exact(counts: bool) -> None:
    coefficients = np.random.default_rng(0).normal(size=BITS)
    for smiles in SMILES:
        found = linear_contributions(parse_smiles(smiles), coefficients, counts=counts)
        assert found.sum() == pytest.approx(ECFP(counts=counts).of_smiles([smiles])[0] @ coefficients)


def test_for_counts_they_are_the_shapley_values() -> None:
    coefficients = np.random.default_rng(0).normal(size=BITS)
    molecule = parse_smiles("OC(CN)c1ccccc1")
    exact = linear_contributions(molecule, coefficients, counts=True)
    sampled, low, high = shapley_values(molecule, partial(linear, coefficients, 3.0, "identity"), counts=True)
    assert low == 3.0
    assert sampled.sum() == pytest.approx(high - low)
    np.testing.assert_allclose(sampled, exact, atol=0.6)  # their standard deviation is 2
    assert np.corrcoef(sampled, exact)[0, 1] > 0.97


@pytest.mark.parametrize("counts", [False, True])
def test_sampled_values_add_up_for_any_function(counts: bool) -> None:
    for smiles in SMILES:
        found, low, high = shapley_values(parse_smiles(smiles), lambda x: np.sin(x.sum(axis=1)), counts=counts)
        assert low == 0
        assert high == pytest.approx(np.sin(ECFP(counts=counts).of_smiles([smiles])[0].sum()))
        assert found.sum() == pytest.approx(high)
