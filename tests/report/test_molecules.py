"""Comparisons over the molecules of a test set, from real records and the data files that they name."""

from pathlib import Path

import pytest
from lab import Lab, write_csv
from msgspec.structs import replace

from roftbench.config.paths import Paths
from roftbench.report import molecules
from roftbench.report.molecules import TITLE, render_molecules
from roftbench.report.predictions.origin import Origins
from roftbench.report.query import Request
from roftbench.report.records import read_records
from roftbench.report.tables.board import Board
from roftbench.report.tables.layout import Leaderboard
from roftbench.store.results import Store

ESOL = ("dataset=esol", "label_ratio=n50")


def section(store: Store, *words: str, stored: bool = True) -> list[str]:
    records, failures = read_records(store)
    found = Leaderboard.create(Board.create(records, failures, Request.parse(words)[0], store.root))
    paths = Paths(str(store.root), str(store.root / "no-cache"), offline=True)
    return render_molecules(found.board, found.contests, store if stored else None, Origins(paths))


def lines(part: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()[2:]]
    return {label: cells for label, *cells in rows}


def test_reference_is_compared_with_each_row_over_the_test_molecules(bench: Lab) -> None:
    parts = section(bench.store, *ESOL, "split=scaffold", "model=tiny_gin,ecfp")
    assert parts[0] == TITLE
    assert (
        parts[2]
        == "**esol: ROFT-MOL ‡** · tiny_gin · scaffold split · n50 labels · smoke training · RMSE ↓: 113 test molecules"
    )
    found = lines(parts[3])
    assert list(found) == ["Full FT", "LP", "Random forest · ecfp †"]
    records, failures = read_records(bench.store)
    board = Board.create(records, failures, Request.parse(ESOL)[0], bench.results)
    means = board.table[(board.table["model"] == "tiny_gin") & (board.table["split"] == "scaffold")]
    means = means.set_index("method")["mean"]
    for label, method in (("Full FT", "full_ft"), ("LP", "lp")):
        assert float(found[label][0]) == pytest.approx(means["roftmol"] - means[method], rel=0.01)
        low, high = (float(text) for text in found[label][1].strip("[]").split(", "))
        assert low <= float(found[label][0]) <= high
    other = section(bench.store, *ESOL, "split=scaffold", "model=tiny_gin", "reference=lp")
    assert float(lines(other[3])["ROFT-MOL ‡"][0]) == pytest.approx(-float(found["LP"][0]))


def test_what_there_is_no_comparison_for_is_said(bench: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Predictions are in the records only" in section(bench.store, *ESOL, stored=False)[1]
    assert section(bench.store, *ESOL, "method=lp", "model=tiny_gin") == []  # one row
    monkeypatch.setattr(molecules, "MOST", 1000)
    assert section(bench.store, *ESOL)[1].startswith("Not computed: the ")


def test_predictions_that_are_not_those_of_the_table_are_not_used(bench: Lab, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for record in bench.store.load():
        job = record.job
        if (job["model"]["name"], job["split"]["name"], job["dataset"]["name"]) == ("tiny_gin", "scaffold", "esol"):
            if job["label_ratio"]["name"] != "n50":
                continue
            predictions = record.test_predictions
            if job["method"]["name"] == "full_ft":
                predictions = replace(predictions, prediction=[[value + 1] for [value] in predictions.prediction])
            if job["method"]["name"] == "lp":
                predictions = None
            store.put(replace(record, test_predictions=predictions))
    text = "\n".join(section(store))
    assert "No comparison with Full FT, as the table's scores are not those of its stored predictions" in text
    assert "No comparison with LP, as records lack predictions." in text
    reverse = "\n".join(section(store, "reference=lp"))
    assert ": no comparison, as records lack predictions." in reverse


def test_own_tables_are_read_again_unless_they_have_changed(lab: Lab, tmp_path: Path) -> None:
    smiles = [f"{'C' * i}O" for i in range(1, 61)]
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, "y": [0.1 * i for i in range(60)]})
    own = lab.elsewhere("own")
    words = (f"dataset.path={path}", "dataset=csv", "split=random", "label_ratio=full", "model=ecfp", "train=smoke")
    for method in ("ridge", "knn"):
        own.done(*words, f"method={method}")
    parts = section(own.store, "reference=ridge")
    assert parts[2].endswith(": 6 test molecules")
    assert list(lines(parts[3])) == ["kNN · ecfp †"]
    path.write_text(path.read_text(encoding="utf-8").replace("5.9", "6.9"), encoding="utf-8")
    assert "its labels cannot be read" in section(own.store, "reference=ridge")[2]
