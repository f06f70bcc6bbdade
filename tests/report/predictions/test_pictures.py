"""Figures of predictions of real jobs: their data against hand computation, and the files."""

from pathlib import Path

import numpy as np
import pytest
from command import Command
from lab import FOREST, Lab, write_csv
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from roftbench.config.paths import Paths
from roftbench.report.aggregate import cells, long_table
from roftbench.report.predictions import load, pictures
from roftbench.report.predictions.groups import Group, groups
from roftbench.report.predictions.load import Loaded
from roftbench.report.predictions.origin import Origins
from roftbench.store.record_schema import Record

GENERATOR = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def origins(lab: Lab) -> Origins:
    return Origins(Paths(str(lab.results), str(lab.cache), offline=True))


def group_of(lab: Lab) -> Group:
    long = long_table([record.summary() for record in lab.store.load()])
    [group] = groups(long, cells(long))
    return group


def nearest(lab: Lab, record: Record, *overrides: str) -> list[float]:
    """The similarity of each test molecule to its nearest training molecule, by RDKit."""
    experiment = lab.experiment(*overrides)
    bits = [GENERATOR.GetFingerprint(Chem.MolFromSmiles(text)) for text in experiment.dataset.smiles]
    train = [bits[at] for at in experiment.parts.train]
    return [max(DataStructs.BulkTanimotoSimilarity(bits[at], train)) for at in experiment.parts.test]


def test_points_are_those_of_the_jobs_with_their_similarity(lab: Lab) -> None:
    records = [lab.done("method=lp", f"seed={seed}") for seed in (0, 1)]
    loaded = Loaded(group_of(lab), lab.store, origins(lab))
    assert (loaded.unknown, loaded.targets, loaded.labels.units) == ("", [0], "log mol/L")
    [panel] = loaded.panels(0)
    expected = nearest(lab, records[0], "method=lp")
    for job, record in zip(panel.jobs, records, strict=True):
        assert job.row.tolist() == record.test_predictions.row
        assert job.prediction.tolist() == [row[0] for row in record.test_predictions.prediction]
        assert job.similarity == pytest.approx(expected, abs=1e-9)
    scores = [record.scores.test["rmse"] for record in records]
    assert panel.score("regression", "rmse") == f"RMSE {np.mean(scores):.3f} ± {np.std(scores):.3f}"
    assert panel.count() == "226 predictions of 113 molecules, 2 jobs"


def test_each_molecule_is_test_once_per_repeat_of_folds(lab: Lab) -> None:
    for fold in range(4):  # two repeats of two folds
        lab.done(*FOREST, "label_ratio=full", "split=cv", "split.folds=2", f"split.fold={fold}", "dataset=freesolv")
    [panel] = Loaded(group_of(lab), lab.store, origins(lab)).panels(0)
    rows, times = np.unique(panel.points.row, return_counts=True)
    assert len(rows) == 642
    assert set(times) == {2}
    assert not np.isnan(panel.points.similarity).any()


def test_many_pairs_are_compared_for_a_sample(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.done("method=lp")
    monkeypatch.setattr(load, "PAIRS", 50 * 20)  # 50 training molecules
    [panel] = Loaded(group_of(lab), lab.store, origins(lab)).panels(0)
    assert int((~np.isnan(panel.points.similarity)).sum()) == 20


def test_regression_and_classes_have_their_figures_and_a_list(cli: Command, lab: Lab) -> None:
    lab.done("method=lp")
    lab.done("method=lp", "dataset=bbbp")
    ended = cli("tables")
    assert "5 figures (.svg, .pdf)" in ended.out
    folder = lab.results / "tables"
    stems = {
        *(f"{kind}_esol_scaffold_n50" for kind in ("parity", "residuals")),
        *(f"{kind}_bbbp_scaffold_n50" for kind in ("roc_pr", "calibration", "residuals")),
    }
    assert {path.stem for path in folder.glob("*.svg")} == stems
    text = (folder / "predictions.md").read_text(encoding="utf-8")
    assert all(f"({stem}.svg)" in text and f"({stem}.pdf)" in text for stem in stems)
    assert "## Provenance" in text
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    cli("tables")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_several_targets_have_figures_of_their_own_and_missing_labels_no_points(lab: Lab, tmp_path: Path) -> None:
    smiles = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F", "Cl")]
    one = [len(text) * 1.5 for text in smiles]
    two = [value if at % 3 else None for at, value in enumerate(one)]
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, "one": one, "two": two})
    own = "dataset=csv", f"dataset.path={path}", "dataset.targets=[one,two]", "dataset.units='µM'"
    lab.done(*own, "label_ratio=full", "split=random")
    group = group_of(lab)
    assert Loaded(group, lab.store, origins(lab)).labels.units == "µM"
    found = list(pictures.pictures(group, lab.store, origins(lab)))
    assert [one.stem for one in found] == [
        f"{kind}_own_random_full_{target}" for target in ("one", "two") for kind in ("parity", "residuals")
    ]
    panels = [Loaded(group, lab.store, origins(lab)).panels(target)[0] for target in (0, 1)]
    kept = [row for row in panels[0].points.row.tolist() if row % 3]
    assert panels[1].points.row.tolist() == kept


def test_file_that_is_gone_is_the_reason_for_a_missing_figure(lab: Lab, tmp_path: Path) -> None:
    smiles = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F", "Cl")]
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, "y": [len(text) * 1.5 for text in smiles]})
    lab.done("dataset=csv", f"dataset.path={path}", "label_ratio=full", "split=random")
    path.unlink()
    [one] = pictures.pictures(group_of(lab), lab.store, origins(lab))
    assert one.figure is None
    assert "No such file" in one.reason


def test_unknown_parts_cost_one_figure_only(lab: Lab, tmp_path: Path) -> None:
    parts = tmp_path / "parts.json"
    parts.write_text('{"train": "0-99", "val": "100-199", "test": "200-299"}', encoding="utf-8")
    lab.done("method=lp", "split=file", f"split.path={parts}", "label_ratio=full")
    first, second = pictures.pictures(group_of(lab), lab.store, origins(lab))
    assert first.figure is not None
    assert second.figure is None
    assert "the path of the split's file is not recorded" in second.reason


def test_many_groups_are_drawn_only_if_asked_for(
    cli: Command, lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.done("method=lp")
    lab.done("method=lp", "split=random")
    monkeypatch.setattr(pictures, "FEW", 1)
    assert "figure" not in cli("tables").out
    assert "--figures does" in caplog.text
    assert not (lab.results / "tables" / "predictions.md").exists()
    assert "4 figures" in cli("tables", "--figures").out
    monkeypatch.setattr(pictures, "FEW", 6)
    assert "2 figures" in cli("tables", "split=random").out
    assert {path.stem for path in (lab.results / "tables").glob("parity*.svg")} == {"parity_esol_random_n50"}
