"""SMILES cells: everything in a cell is read, or the cell has a reason."""

import subprocess
import sys

import numpy as np
import pytest
from rdkit import Chem

from roftbench.data.descriptors import describe_chunk
from roftbench.data.featurizers.graphium import smiles_to_graph as minimol_graph
from roftbench.data.featurizers.hu import featurize_chunk, parse_smiles, scaffold_chunk
from roftbench.data.featurizers.ogb import smiles_to_graph as ogb_graph
from roftbench.data.smiles import MAX_ATOMS, Cell, FeaturizeError, is_smiles, read_cell, shortened, without_salts

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" CCO\t", Cell("CCO")),
        ("c1:c:c:c:c:c1", Cell("c1:c:c:c:c:c1")),
        ("CCO ethanol", Cell("CCO", named=True)),
        ("CCO\tethyl alcohol 2", Cell("CCO", named=True)),
        ("CCO compound (R) no. #3, vitamin C [1]", Cell("CCO", named=True)),
        ("CCO (+)-ethanol (S)", Cell("CCO", named=True)),
        ("CCO |^1:1|", Cell("CCO |^1:1|", extended=True)),
        ("CCO |$a;;b c$| my name", Cell("CCO |$a;;b c$|", named=True, extended=True)),
        ("[CH3:1][OH:22]", Cell("[CH3][OH]", mapped=True)),
        ("[CH3:1]O methanol", Cell("[CH3]O", named=True, mapped=True)),
    ],
)
def test_what_a_cell_holds(cell: str, expected: Cell) -> None:
    assert read_cell(cell) == expected


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("CC(=O)Oc1ccccc1 C(=O)O", r"'C\(=O\)O', is SMILES, too"),
        ("CC(C) =O", "'=O', is SMILES, too"),
        ("CC(=O)Oc1ccccc1 (=O)O", "is SMILES, too"),
        ("C1CC 1", "is SMILES, too"),
        ("CCO\tCCN", "is SMILES, too"),
        ("CCO |^1:1| CCN", "is SMILES, too"),
        ("CCO CCN name", "is SMILES, too"),
        ("CCO + CCN", "is SMILES, too"),
        ("CCO . HCl", "is SMILES, too"),
        ("CCO >> CCN", "is SMILES, too"),
        ("CCO )C", "is SMILES, too"),
        ("CCO =O)", "is SMILES, too"),
        ("CCO name C(=O)O", "is SMILES, too"),
        ("CCO name [Na+]", "is SMILES, too"),
        ("CCO |bad", "never closed"),
        ("[U]1" * 700 + "[U]%12%(123)" * 400, "750 ring closures: molecules of at most 500 rings"),
        ("\u00a0CCO", r"U\+00A0 \(no-break space\) at character 1"),
        ("CCO\u200b", r"U\+200B"),
        ("CCO\x1c", r"U\+001C \(control character\)"),
        ("CCO\x0b", r"U\+000B"),
        ("CC\u2212O", r"U\+2212 \(minus sign\) at character 3"),
        ("CCO\nCCN", "a SMILES is one line"),
        ("CCO\x00CCN", r"U\+0000"),
    ],
)
def test_cells_of_which_a_part_would_be_lost(cell: str, reason: str) -> None:
    with pytest.raises(FeaturizeError, match=reason):
        read_cell(cell)
    assert not is_smiles(cell)
    assert [row for row, _ in featurize_chunk(["C", cell]).failed] == [1]


def test_atom_maps_change_nothing() -> None:
    plain = [ASPIRIN, "C[C@H](N)C(=O)O", "F/C=C/F", "c1ccc2ccccc2c1", "[13CH3]O"]
    mapped: list[str] = []
    for text in plain:
        molecule = Chem.MolFromSmiles(text)
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(len(mapped) * 7 + atom.GetIdx() + 1)
        mapped.append(Chem.MolToSmiles(molecule, canonical=False))
    extended = "CCO |atomProp:0.molAtomMapNumber.7|"
    one, other = featurize_chunk([*plain, "CCO"]), featurize_chunk([*mapped, extended])
    np.testing.assert_array_equal(one.canonical, other.canonical)
    assert one.texts == {}
    assert other.counts == {"mapped": 5, "extended": 1}
    assert scaffold_chunk(plain) == scaffold_chunk(mapped)
    for column, same in zip(describe_chunk(plain), describe_chunk(mapped), strict=True):
        np.testing.assert_array_equal(column, same)
    for graph in (minimol_graph, ogb_graph):
        for text, with_maps in zip(plain, mapped, strict=True):
            assert sorted(map(tuple, graph(text).x.tolist())) == sorted(map(tuple, graph(with_maps).x.tolist()))


@pytest.mark.parametrize("text", ["C" * 20_000, "C(C)" * 5000, "[CH2]" * 3000, "c1ccccc1" * 1000, "C" * 10**6])
def test_a_molecule_that_is_too_large_has_a_reason(text: str) -> None:
    with pytest.raises(FeaturizeError, match=r"at most (2,000 atoms|100,000)"):
        parse_smiles(text)
    assert [row for row, _ in featurize_chunk(["CCO", text, "CC"]).failed] == [1]


def test_the_largest_molecule_is_handled_on_half_of_the_usual_stack() -> None:
    """The recursive writer of SMILES must not overflow: 20,000 atoms did on 8 MiB."""
    code = (
        "import resource, sys; from roftbench.data.featurizers.hu import featurize_chunk, scaffold_chunk;"
        f"text = 'C' * {MAX_ATOMS}; assert len(featurize_chunk([text]).rows) == 1;"
        " assert scaffold_chunk([text]) == ['']"
    )
    limited = ["bash", "-c", 'ulimit -s 4096; exec "$0" -c "$1"', sys.executable, code]
    assert subprocess.run(limited, check=False).returncode == 0


def test_an_error_of_rdkit_is_the_reason_of_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Chem.MolToSmiles

    def failing(molecule: Chem.Mol, *args: object) -> str:
        if molecule.GetNumAtoms() == 2:
            raise RuntimeError("Pre-condition Violation\nmore lines")
        return str(written(molecule, *args))

    monkeypatch.setattr(Chem, "MolToSmiles", failing)
    chunk = featurize_chunk(["C", "CC", "CCC"])
    assert (chunk.rows, chunk.failed) == ([0, 2], [(1, "RDKit fails: Pre-condition Violation")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CCO", "CCO"),
        ("Cl.OCC", "OCC"),
        ("[Na+].CC(=O)[O-]", "CC(=O)[O-]"),
        ("OCC(N)C.Cl.Cl", "OCC(N)C"),
        ("[K+].[K+].[O-]S(=O)(=O)[O-].CO", "CO"),  # organic goes before size
        ("C1.CC1", "C1.CC1"),  # one fragment
        ("C12.CC1.Cl.C2", "CCCC"),
        ("CCN.Cl |^1:0|", "[CH2]CN"),
    ],
)
def test_the_largest_organic_fragment(text: str, expected: str) -> None:
    stripped = without_salts(read_cell(text)).text
    if "|" in text or "12" in text:
        assert Chem.CanonSmiles(stripped) in (Chem.CanonSmiles(expected), "C[CH]N", "[CH2]CN")
    else:
        assert stripped == expected


def test_salts_are_counted() -> None:
    chunk = featurize_chunk(["CCO.Cl", "CCO"], strip_salts=True)
    assert chunk.canonical[0] == chunk.canonical[1]
    assert (chunk.texts, chunk.counts) == ({0: "CCO"}, {"stripped": 1})


def test_long_texts_are_shortened() -> None:
    assert shortened("CCO") == "CCO"
    assert shortened("C" * 20_000).endswith("C… (20,000 characters)")
