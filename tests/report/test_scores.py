"""scores.csv and settings.json: everything that tables need comes back from them, bit for bit."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from lab import FOREST, Lab, primary
from msgspec.structs import replace
from refusals import raises_usage

from roftbench.report.cost import fit_cpu_seconds, fit_seconds
from roftbench.report.records import read_records
from roftbench.report.score_columns import ADDED, COLUMNS, ENV, TRAIN
from roftbench.report.scores import read_scores, write_scores
from roftbench.runner.provenance import ARITHMETIC
from roftbench.runner.run import put_failure
from roftbench.store.record_schema import DataResult, Failure, RecordSummary


@pytest.fixture
def written(lab: Lab, tmp_path: Path) -> Path:
    """The scores of two networks' jobs, one with a grid, a forest, one failed and one skipped job."""
    lab.done("method=full_ft", "train.epochs=1", "dataset=bbbp")
    lab.done("method=wise_ft", "train.epochs=1", "method.search=true", "method.grid.alpha=[0.1,1.0]")
    lab.done(*FOREST)
    put_failure(lab.store, lab.job("method=lp", "train.epochs=1")[0], 'it broke,\nin "two" lines')
    assert lab.run("method=surgical_ft", "method.block=layer9").status == "skipped"
    write_scores(*read_records(lab.store), tmp_path / "out")
    return tmp_path / "out" / "scores.csv"


def in_table(records: list[RecordSummary]) -> list[RecordSummary]:
    """Records with what scores.csv holds of them: candidates with all hyperparameters, and no stages."""
    return [
        replace(
            record,
            candidates=[
                replace(one, params={**record.job["method"]["params"], **one.params}) for one in record.candidates
            ],
            stages=[],
            epochs={},
            data=DataResult(
                **{name: getattr(record.data, name) for name in ("sha256", "rows", "kept", "test_labels", "noise")}
            ),
            env={name: record.env[name] for name in ENV},
            seconds={"fits": fit_seconds(record), "total": record.seconds["total"]},
            cpu_seconds={"fits": fit_cpu_seconds(record)},
        )
        for record in records
    ]


def without_machine(failures: list[Failure]) -> list[Failure]:
    """Failures with the part of `env` that scores.csv holds."""
    return [replace(one, env={name: one.env[name] for name in ENV}) for one in failures]


def test_packed_scores_are_read_and_written_as_plain_ones(written: Path, tmp_path: Path) -> None:
    plain = read_scores(written)
    paths = write_scores(*plain, tmp_path / "packed", packed=True)
    assert [path.name for path in paths] == ["scores.csv.gz", "settings.json"]
    assert gzip.decompress(paths[0].read_bytes()) == written.read_bytes()
    assert read_scores(paths[0]) == plain
    paths[0].write_bytes(paths[0].read_bytes()[:-20])
    with raises_usage(key="--from", got=str(paths[0])):
        read_scores(paths[0])


def test_what_was_written_is_read_as_the_records_are(lab: Lab, written: Path, tmp_path: Path) -> None:
    records, failures = read_records(lab.store)
    assert (len(records), len(failures)) == (3, 2)
    back = read_scores(written)
    assert back == (in_table(records), without_machine(failures))
    again = write_scores(*back, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [
        written.read_bytes(),
        written.with_name("settings.json").read_bytes(),
    ]


def test_it_is_a_flat_table_with_every_number_in_full(lab: Lab, written: Path) -> None:
    frame = pd.read_csv(written)
    assert list(frame.columns) == COLUMNS
    assert frame["status"].value_counts().to_dict() == {"done": 4, "failed": 1, "skipped": 1}
    for record in lab.store.load():
        rows = frame[frame["key"] == record.key]
        for row, one in zip(rows.to_dict("records"), record.candidates, strict=True):
            metric = record.metric
            assert (row[f"val_{metric}"], row[f"test_{metric}"]) == (one.val[metric], one.test[metric])
            assert json.loads(row["params"]) == {**record.job["method"]["params"], **one.params}
            chosen = one.val == record.scores.val
            assert chosen == (row[f"train_{metric}"] == record.scores.train[metric])
            assert row["labels_weights"] == record.count.labels.weights
            assert row["seconds"] == record.seconds["total"]
            assert (row["processor"], row["arithmetic"]) == (record.env["processor"], record.env["arithmetic"])
            assert row["peak_memory_mb"] == record.peak_memory_mb
            assert pd.Series([row["trained_parameters"]]).dropna().tolist() == [
                *filter(None, [record.trained_parameters])
            ]
            assert row["data_sha256"] == record.data.sha256
            assert row["protocol"] == record.job["protocol"]
    [forest] = frame[frame["model"] == "ecfp"].to_dict("records")
    [record] = [one for one in lab.store.load() if one.job["model"]["name"] == "ecfp"]
    assert forest["test_rmse"] == primary(record, "test")


def test_an_undefined_metric_is_not_the_same_as_none(lab: Lab, tmp_path: Path) -> None:
    lab.done("method=lp", "train.epochs=1")
    [one] = read_records(lab.store)[0]
    one.candidates[0].test["r2"] = None
    write_scores([one], [], tmp_path)
    [row] = csv.DictReader((tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines())
    assert (row["test_r2"], row["test_roc_auc"]) == ("nan", "")
    [back], _ = read_scores(tmp_path / "scores.csv")
    assert back.candidates[0].test["r2"] is None
    assert "roc_auc" not in back.candidates[0].test


def test_a_file_without_the_later_columns_is_read_and_gets_them(written: Path, cli: Command) -> None:
    wide = pd.read_csv(written, dtype=str)
    older = wide.drop(columns=list(ADDED))
    assert read_scores(written)[0][0].env["arithmetic"] == ARITHMETIC
    older.to_csv(written, index=False, lineterminator="\n")
    records = read_scores(written)[0]
    assert {one.env[name] for one in records for name in ("processor", "arithmetic")} == {None}
    assert {(one.data.test_labels, one.data.noise) for one in records} == {(None, None)}
    assert {one.scores for one in records} == {None}
    assert not {"kendall", "mcc"} & {name for one in records for name in one.candidates[0].test}
    wide.drop(columns="processor").to_csv(written, index=False, lineterminator="\n")  # of a time between
    assert {one.candidates[0].test.keys() >= {"mcc"} for one in read_scores(written)[0]} == {False, True}
    older.to_csv(written, index=False, lineterminator="\n")
    ended = cli("tables", "--from", str(written), "--no-figures", "--out", str(written.parent))
    assert ended.code == 0, ended
    now = pd.read_csv(written, dtype=str)
    added = [name for name in ADDED if name not in TRAIN]  # training scores would be empty columns
    assert list(now.columns) == [name for name in COLUMNS if name not in TRAIN]
    pd.testing.assert_frame_equal(now.drop(columns=added), older)
    assert now[added].isna().all(axis=None)


def _without_settings(path: Path) -> None:
    path.with_name("settings.json").unlink()


def _another_table(path: Path) -> None:
    path.write_text("key,score\na,1\n")


def _another_setting(path: Path) -> None:
    path.with_name("settings.json").write_text(json.dumps({"model": {}}))


def _cut_short(path: Path) -> None:
    head, row, *_ = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{head}\n{row[: len(row) // 3]}", encoding="utf-8")


def _no_number(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("0.", "x.", 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (_without_settings, "no settings.json lies beside it"),
        (_another_table, "has not the columns"),
        (_another_setting, "settings.json lacks"),
        (_cut_short, "is not what `roftbench tables` writes"),
        (_no_number, "is not what `roftbench tables` writes"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(written: Path, damage: Callable[[Path], None], part: str) -> None:
    damage(written)
    with raises_usage(key="--from", got=str(written)) as error:
        read_scores(written)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_several_files_are_joined_and_a_job_counts_once(
    lab: Lab, written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = read_scores(written)
    lab.done("method=lp", "train.epochs=1")  # it had failed before
    lab.done("method=l2_sp", "train.epochs=1")
    more = read_records(lab.store)
    write_scores(*more, tmp_path / "more")
    joined = read_scores(written, tmp_path / "more" / "scores.csv")
    assert (
        joined
        == (in_table(more[0]), without_machine(more[1]))
        == read_scores(tmp_path / "more" / "scores.csv", written)
    )
    assert (len(first[0]), len(joined[0]), len(joined[1])) == (3, 5, 1)
    assert not caplog.records

    other = read_scores(written)[0][:1]
    scores = other[0].candidates[0].test
    scores.update(dict.fromkeys(scores, 0.5))
    write_scores(other, [], tmp_path / "other")
    assert read_scores(written, tmp_path / "other" / "scores.csv") == first
    assert "1 jobs have other scores in a later file, the test score by up to " in caplog.text
    names = ", ".join(other[0].name(part) for part in ("model", "method", "dataset"))
    assert f" % ({names}, seed 0); those of the first count" in caplog.text
