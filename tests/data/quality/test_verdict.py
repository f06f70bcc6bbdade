"""Verdict on a data set: five lines, each with what is to be done."""

from pathlib import Path
from typing import Any

import pytest
from golden import Golden
from lab import PLACES, write_csv

from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import load_dataset
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.quality.report import quality_report
from roftbench.data.quality.verdict import Finding, verdict
from roftbench.data.split import RandomSplit
from roftbench.data.table.load import complete

ALKANES = ["C" * length + end for length in range(1, 28) for end in ("O", "N", "F", "Cl")]


def judged(folder: Path, smiles: list[str], y: list[Any], **known: Any) -> dict[str, Finding]:
    path = write_csv(folder / "own.csv", {"smiles": smiles, "y": y})
    spec = complete(DatasetSpec(path=str(path), targets=["y"], **known), PLACES)[0]
    dataset = load_dataset(spec, folder / "cache", PLACES)
    lines = verdict(quality_report(dataset, {"random": RandomSplit(seed=1)}, LabelRatio()))
    assert [one.subject for one in lines] == ["molecules", "replicates", "leaks", "labels", "range"]
    return {one.subject: one for one in lines}


def test_a_clean_table_has_nothing_to_be_done(tmp_path: Path, golden: Golden) -> None:
    found = judged(tmp_path, ALKANES, [0.1 * row for row in range(len(ALKANES))])
    assert {one.state for one in found.values()} == {"ok"}
    golden("verdict_clean.txt", "\n".join(map(str, found.values())))


def test_replicates_leaks_salts_and_dropped_rows(tmp_path: Path, golden: Golden) -> None:
    smiles = [*ALKANES, *ALKANES, "CC(=O)[O-].[Na+]", "no molecule", "none", "nothing"]
    found = judged(tmp_path, smiles, [0.1 * (row % 109) for row in range(len(smiles))])
    assert found["molecules"].state == found["replicates"].state == found["leaks"].state == "act"
    golden("verdict_act.txt", "\n".join(map(str, found.values())))


def test_replicates_of_classes_are_dropped_and_not_averaged(tmp_path: Path) -> None:
    smiles = [*ALKANES, *ALKANES[:4], "C[C@H](O)Cl", "C[C@H](O)Cl", "C[C@@H](O)Cl"]
    found = judged(tmp_path, smiles, [row % 2 for row in range(len(ALKANES))] + [1, 1, 1, 1, 0, 0, 0])
    text = found["replicates"].text
    assert text.startswith("5 molecules in 10 rows; 2 contradict themselves: dataset.duplicates=merge drops classes")
    assert text.endswith("; 1 group of molecules differs in stereochemistry or charge alone")


def test_bounds_that_are_left_out_are_in_the_line_on_labels(tmp_path: Path) -> None:
    y = [f">{row}" if row % 10 == 0 else row + 0.5 for row in range(len(ALKANES))]
    found = judged(tmp_path, ALKANES, y, censored="drop")
    assert found["labels"].state == "look"
    assert "11 labels with a sign" in found["labels"].text


@pytest.mark.parametrize(
    ("y", "known", "state", "text"),
    [
        ([10.0 ** (row % 7) for row in range(108)], {}, "act", "take logarithms"),
        ([float(row % 3) for row in range(108)], {"task": "regression"}, "look", "at most 10 different values"),
        ([1000.0 + 900 * row for row in range(108)], {}, "act", "train.standardize_targets=true"),
        ([row % 2 for row in range(108)], {}, "ok", "50.0% positives"),
        ([int(row == 5) for row in range(108)], {}, "look", "0.9% positives; look at average precision"),
        ([0] * 108, {"task": "classification"}, "act", "not both classes in 1 of 1 tasks"),
    ],
)
def test_range_of_labels(tmp_path: Path, y: list[Any], known: dict[str, Any], state: str, text: str) -> None:
    found = judged(tmp_path, ALKANES, y, **known)["range"]
    assert (found.state, text in found.text) == (state, True), found
