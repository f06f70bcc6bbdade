"""Names of columns that identify molecules."""

from pathlib import Path

import pytest

from roftbench.data.config import DatasetSpec
from roftbench.data.table.identifiers import identifier_columns, identifier_kind
from roftbench.data.table.load import complete
from roftbench.store.downloads import Places

NAMES = ["id", "CID", "Compound ID", "compound_name", "Name", "title", "compound", "chemblid", "Lot"]
NUMBERS = ["Lot#", "Lot_no", "vial_no", "RegNo", "cmpd_num", "ref_no", "nsc_number", "Exp. No.", "Entry", "UUID",
           "CAS RN", "sample code", "Compound #", "Ref. Nr.", "Catalog Number", "N°", "LOT NO", "compound_uuid",
           "reg lot no", "(No.)"]  # fmt: skip
PROPERTIES = ["number_of_hits", "num_atoms", "NumHDonors", "octane_number", "Cetane number", "acid no.",
              "turnover_number", "IC50_NO", "iNOS", "log NO", "ID50", "activity_code", "viral_entry", "mg per vial",
              "mol", "regression",
              "notes", "# of rings", "code_red_score", "region", "test", "assay", "nitro", "mono", "amide", "fluid",
              "solid", "hybrid", "lot_purity", "entry_inhibition", "Reynolds number"]  # fmt: skip
ROWS = ["index", "idx", "row", "Unnamed: 0", "__index_level_0__"]


@pytest.mark.parametrize("name", [*NAMES, *NUMBERS, *ROWS])
def test_column_that_identifies_molecules_is_never_a_guessed_label(tmp_path: Path, name: str) -> None:
    assert identifier_columns(["smiles", name]) == [1]
    path = tmp_path / "own.csv"
    path.write_text(f"smiles,{name},y\nC,7,1.5\nCC,3,2.5\nCCC,9,1\n")
    assert complete(DatasetSpec(path=str(path)), Places(tmp_path))[0].targets == ["y"]


def test_row_numbers_come_last_and_columns_without_a_name_not_at_all() -> None:
    names = ["", "index", "smiles", "Name", "y", " cid ", "batch"]
    assert [names[at] for at in identifier_columns(names)] == ["Name", " cid ", "batch", "index"]


@pytest.mark.parametrize("name", ["lipid", "acid", "pIC50", "username_score", "rowing", "tid", *PROPERTIES])
def test_other_names_identify_nothing(name: str) -> None:
    assert identifier_kind(name) is None
    assert identifier_columns([name]) == []
