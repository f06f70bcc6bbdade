import hashlib
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from lab import Lab

from scripts.results_archive import main


@pytest.fixture
def study(lab: Lab, cli: Command, tmp_path: Path) -> tuple[Path, Path]:
    """A folder of results with the tables of two jobs, and the folder with their records."""
    for method in ("lp", "full_ft"):
        lab.done(f"method={method}")
    results = tmp_path / "committed"
    words = ("--out", str(results / "study"), "--no-figures", "--no-predictions")
    ended = cli("tables", f"paths.results={lab.results}", *words)
    assert ended.code == 0, ended
    (results / "README.md").write_text("# Results\n", encoding="utf-8")
    return results, lab.results


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


def test_an_archive_holds_scores_predictions_and_their_checksums(
    study: tuple[Path, Path], tmp_path: Path, cli: Command
) -> None:
    results, records = study
    words = ["--results", str(results), "--records", f"study={records}", "--out"]
    for name in ("one.tar.gz", "two.tar.gz"):
        assert main([*words, str(tmp_path / name)]) == 0
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    root = unpacked(tmp_path / "one.tar.gz", tmp_path / "unpacked")
    sums = dict(line.split("  ")[::-1] for line in (root / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {*sums, "SHA256SUMS"}
    assert {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in sums} == sums
    assert (root / "results/study/scores.csv").read_bytes() == (results / "study" / "scores.csv").read_bytes()
    rows = pd.read_parquet(root / "results/study/predictions.parquet")
    scores = pd.read_csv(root / "results/study/scores.csv").set_index("key")["test_rmse"]
    test = rows[rows["part"] == "test"]
    errors = (test["prediction"] - test["label"]) ** 2
    assert (errors.groupby(test["job"]).mean() ** 0.5).to_dict() == pytest.approx(scores.to_dict())
    ended = cli("tables", "--from", str(root / "results/study/scores.csv"), "--out", str(tmp_path / "again"))
    assert ended.code == 0, ended


def test_predictions_of_other_jobs_are_refused(
    study: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, records = study
    out = tmp_path / "archive.tar.gz"
    empty = tmp_path / "without records"
    empty.mkdir()
    for given, told in (
        (f"study={empty}", "2 of 2 jobs of study have no record with equal scores"),
        (f"study={tmp_path / 'nowhere'}", "nowhere does not exist"),
        (f"other={records}", "other does not exist"),
    ):
        assert main(["--results", str(results), "--records", given, "--out", str(out)]) == 2
        assert told in capsys.readouterr().err
        assert not out.exists()
    assert main(["--results", str(empty), "--out", str(out)]) == 2
    assert "holds scores.csv" in capsys.readouterr().err
