"""predictions.parquet against scores.csv, the data files and scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from command import Command
from lab import FOREST, Lab, write_csv
from scipy.stats import spearmanr
from sklearn import metrics

from roftbench.config.paths import Paths
from roftbench.report.predictions import parquet
from roftbench.report.predictions.origin import Origins
from roftbench.report.predictions.parquet import FILE, expected_rows, write_predictions
from roftbench.report.records import read_records

SMILES = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F", "Cl")]
ORACLES = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": metrics.r2_score,
    "spearman": lambda y, p: spearmanr(y, p).statistic,
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "brier": metrics.brier_score_loss,
}


def origins(lab: Lab) -> Origins:
    return Origins(Paths(str(lab.results), str(lab.cache), offline=True))


def written(lab: Lab, folder: Path) -> pd.DataFrame:
    [path] = write_predictions(read_records(lab.store)[0], lab.store, origins(lab), folder)
    return pd.read_parquet(path)


@pytest.fixture
def several(lab: Lab, tmp_path: Path) -> Lab:
    """Jobs of both tasks, of folds, with a search, with several tasks and missing labels."""
    for seed in (0, 1):
        lab.done("method=lp", "dataset=bbbp", f"seed={seed}")
        lab.done(*FOREST, f"seed={seed}", "label_ratio=full", "split=cv", f"split.fold={seed}")
    lab.done("method=wise_ft", "method.search=true", "method.grid.alpha=[0.1,0.9]", "split=random")
    values = [float(len(text)) for text in SMILES]
    some = [value % 3 if at % 4 else None for at, value in enumerate(values)]
    path = write_csv(tmp_path / "own.csv", {"compound_id": [f"C-{at}" for at in range(60)], "smiles": SMILES,
                                            "one": values, "two": some})  # fmt: skip
    lab.done("dataset=csv", f"dataset.path={path}", "dataset.targets=[one,two]", "label_ratio=full", "split=random")
    return lab


def test_every_test_score_of_scores_csv_follows_from_it(cli: Command, several: Lab) -> None:
    assert cli("tables", "--no-figures").code == 0
    folder = several.results / "tables"
    scores = pd.read_csv(folder / "scores.csv", dtype={"params": str})
    rows = pd.read_parquet(folder / FILE)
    compared = 0
    for (job, params, part), found in rows.groupby(["job", "params", "part"]):
        [line] = scores[(scores["key"] == job) & (scores["params"] == params)].to_dict("records")
        for name, oracle in ORACLES.items():
            if np.isnan(expected := line[f"{part}_{name}"]):
                continue
            each = [oracle(one["label"], one["prediction"]) for _, one in found.groupby("target")]
            assert np.mean(each) == pytest.approx(expected, rel=1e-6, abs=1e-6), (job, part, name)
            compared += 1
    assert compared == 2 * (2 * 3 + 2 * 4 + 4 + 4)  # parts × (bbbp, folds, the search, two targets)
    assert set(rows["job"]) == set(scores["key"])


def test_rows_have_molecule_fold_and_identifier(several: Lab, tmp_path: Path) -> None:
    rows = written(several, tmp_path)
    assert list(rows) == parquet.SCHEMA.names
    own = rows[rows["dataset"] == "own"]
    assert (own["id"] == [f"C-{row}" for row in own["row"]]).all()
    assert (own["smiles"] == [SMILES[row] for row in own["row"]]).all()
    assert set(own["target"]) == {"one", "two"}
    assert not own[(own["target"] == "two") & (own["row"] % 4 == 0)].size  # no label, no row
    assert rows[rows["dataset"] != "own"]["id"].isna().all()
    assert set(rows[rows["split"] == "cv"]["fold"]) == {0, 1}
    assert rows[rows["split"] != "cv"]["fold"].isna().all()
    by_key = {record.key: record for record in several.store.load()}
    for (key, part), found in rows.groupby(["job", "part"]):
        stored = getattr(by_key[key], f"{part}_predictions")
        assert list(dict.fromkeys(found["row"])) == stored.row
        first = found[found["target"] == found["target"].iloc[0]]
        assert first["prediction"].tolist() == [values[0] for values in stored.prediction]


def test_rows_are_as_many_as_expected_and_the_file_is_compressed(several: Lab, tmp_path: Path) -> None:
    records = read_records(several.store)[0]
    rows = written(several, tmp_path)
    test = rows[rows["part"] == "test"]
    assert len(test) == sum(record.count.labels.test for record in records)
    assert len(test) <= expected_rows(records) <= len(rows)
    column = pq.ParquetFile(tmp_path / FILE).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.has_dictionary_page


def test_row_groups_bound_the_memory(several: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(several, tmp_path / "whole")
    monkeypatch.setattr(parquet, "ROWS", 300)
    parts = written(several, tmp_path / "parts")
    pd.testing.assert_frame_equal(whole, parts)
    groups = pq.ParquetFile(tmp_path / "parts" / FILE).metadata
    sizes = [groups.row_group(at).num_rows for at in range(groups.num_row_groups)]
    assert len(sizes) > 2
    assert min(sizes[:-1]) >= 300


def test_labels_that_signs_in_a_column_of_their_own_leave_out_have_no_row(lab: Lab, tmp_path: Path) -> None:
    signs = [">" if at % 4 == 1 else "=" for at in range(60)]
    values = [9.0 if sign == ">" else float(len(text)) for sign, text in zip(signs, SMILES, strict=True)]
    path = write_csv(tmp_path / "own.csv", {"smiles": SMILES, "Standard Relation": signs, "y": values})
    words = ("dataset=csv", f"dataset.path={path}", "dataset.targets=[y]", "dataset.censored=drop")
    record = lab.done(*FOREST, *words, "label_ratio=full", "split=random")
    rows = written(lab, tmp_path)
    test = rows[rows["part"] == "test"]
    assert (test["label"] != 9.0).all()
    assert len(test) == record.count.labels.test
    assert metrics.root_mean_squared_error(test["label"], test["prediction"]) == pytest.approx(
        record.scores.test["rmse"]
    )


def test_merged_duplicates_have_the_label_of_the_first_row(lab: Lab, tmp_path: Path) -> None:
    smiles = [*SMILES[:40], *SMILES[:20]]
    values = [1.5 * (at % 40) + at // 40 for at in range(60)]
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, "y": values})
    lab.done("dataset=csv", f"dataset.path={path}", "dataset.duplicates=merge", "label_ratio=full", "split=random")
    rows = written(lab, tmp_path)
    assert rows["row"].max() < 40
    expected = [1.5 * row + 0.5 * (row < 20) for row in rows["row"]]  # the mean of this row and row + 40
    assert rows["label"].tolist() == expected


def test_job_whose_file_has_changed_is_left_out_with_the_reason(
    lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_csv(tmp_path / "own.csv", {"smiles": SMILES, "y": [float(len(text)) for text in SMILES]})
    own = lab.done("dataset=csv", f"dataset.path={path}", "label_ratio=full", "split=random").key
    kept = lab.done("method=lp").key
    path.write_text(path.read_text(encoding="utf-8") + "CCCC,3\n", encoding="utf-8")
    assert set(written(lab, tmp_path)["job"]) == {kept}
    assert "lacks 1 job" in caplog.text
    assert "it has changed" in caplog.text
    lab.store.record_path(kept).unlink()
    assert lab.store.get(own) is not None
    assert write_predictions(read_records(lab.store)[0], lab.store, origins(lab), tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_record_without_validation_predictions_has_rows_of_test(lab: Lab, tmp_path: Path) -> None:
    record = lab.done("method=lp")
    path = lab.store.record_path(record.key)
    content = json.loads(path.read_text(encoding="utf-8"))
    content = {name: value for name, value in content.items() if name not in ("val_predictions", "digest")}
    path.write_text(json.dumps({**content, "schema": 1}), encoding="utf-8")  # as before there was a digest
    rows = written(lab, tmp_path)
    assert set(rows["part"]) == {"test"}
    assert rows["row"].tolist() == record.test_predictions.row


def test_default_depends_on_the_size_and_an_old_file_goes(
    cli: Command, lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.done("method=lp")
    file = lab.results / "tables" / FILE
    assert FILE in cli("tables", "--no-figures").out
    assert file.exists()
    assert FILE not in cli("tables", "--no-figures", "--no-predictions").out
    assert not file.exists()
    monkeypatch.setattr("roftbench.cli.tables.FEW", 10)
    assert FILE not in cli("tables", "--no-figures").out
    assert "--predictions writes it" in caplog.text
    assert not file.exists()
    assert FILE in cli("tables", "--no-figures", "--predictions").out


def test_scores_alone_hold_no_predictions(cli: Command, lab: Lab, tmp_path: Path) -> None:
    lab.done("method=lp")
    cli("tables", "--no-figures", "--no-predictions")
    csv = lab.results / "tables" / "scores.csv"
    cli("tables", "--from", str(csv), "--predictions", "--out", str(tmp_path / "out")).refused("needs the records")
    assert cli("tables", "--from", str(csv), "--out", str(tmp_path / "out"), "--no-figures").code == 0
    assert not (tmp_path / "out" / FILE).exists()
