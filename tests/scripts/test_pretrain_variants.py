"""Molecules made by edits: valid, with the charges and elements that they are made for, the same from the same seed."""

from collections.abc import Callable
from random import Random

import pytest
from rdkit import Chem

from scripts.pretraining.coverage import count_kinds, rows, share
from scripts.pretraining.variants import EDITS, GROUPS, edited, fragments, joined

Edit = Callable[[Chem.Mol, Random], Chem.Mol | None]
MOLECULE = Chem.MolFromSmiles("CN(C)CC(C=CF)c1cc(C(=O)O)ncc1C(=O)NC")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_each_edit_gives_another_valid_molecule(edit: Edit) -> None:
    made = [edit(MOLECULE, Random(seed)) for seed in range(20)]
    assert all(one is not None for one in made)
    smiles = {Chem.MolToSmiles(one) for one in made}
    assert smiles - {Chem.MolToSmiles(MOLECULE)}
    assert all(Chem.MolFromSmiles(one) is not None for one in smiles)


def test_edits_add_charges_and_elements() -> None:
    kinds = count_kinds(smiles for seed in range(2000) for smiles in edited(MOLECULE, Random(seed)))
    wanted = {"N+1", "O-1", "S-1", "I+0", "Br+0", "B+0", "B-1", "P+0", "P+1", "Si+0", "Se+0", "S+1"}
    assert wanted <= {kind for kind, count in kinds.items() if count >= 5}


@pytest.mark.parametrize("group", GROUPS)
def test_group_is_a_valid_substituent(group: str) -> None:
    assert Chem.MolFromSmiles("c1ccccc1" + group) is not None


def test_only_amines_and_pyridines_are_charged() -> None:
    amide = Chem.MolFromSmiles("CC(=O)N(C)c1ccc[nH]1")
    on_nitrogen = next(edit for edit in EDITS if edit.__name__ == "_on_nitrogen")
    assert all(on_nitrogen(amide, Random(seed)) is None for seed in range(20))


def test_joined_molecules_have_the_atoms_of_both() -> None:
    other = Chem.MolFromSmiles("CCNc1ccccc1")
    for seed in range(10):
        [smiles] = joined(MOLECULE, other, Random(seed))
        product = Chem.MolFromSmiles(smiles)
        assert product.GetNumAtoms() == MOLECULE.GetNumAtoms() + other.GetNumAtoms()
        assert len(Chem.GetMolFrags(product)) == 1
    assert joined(Chem.MolFromSmiles("ClC(Cl)(Cl)Cl"), other, Random(0)) == []


def test_variants_follow_from_the_seed() -> None:
    for make in (edited, fragments):
        assert make(MOLECULE, Random(3)) == make(MOLECULE, Random(3))


def test_coverage_is_the_share_of_atoms_of_known_kinds() -> None:
    kinds = count_kinds(["CC[NH3+].[Cl-]", "CCO", "no molecule"])
    assert kinds == {"C+0": 4, "N+1": 1, "Cl-1": 1, "O+0": 1}
    assert share(kinds, {"C+0", "O+0"}) == pytest.approx(5 / 7)
    assert list(rows([("salts", ["CC[NH3+].[Cl-]"])], {"C+0", "N+1"}))[2:] == ["| salts | 4 | 75.00 % | Cl-1 1 |"]
