"""The prior of `advise` is made of committed scores, and the shipped one is."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
from lab import ROOT, Lab

from roftbench.report.records import read_records
from roftbench.report.scores import write_scores


def made(out: Path, *scores: Path) -> pd.DataFrame:
    command = [sys.executable, "-m", "scripts.make_prior", *map(str, scores), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return pd.read_csv(out)


def test_ranks_of_complete_blocks_are_averaged(lab: Lab, tmp_path: Path) -> None:
    for dataset in ("esol", "freesolv"):
        for method in ("lp", "full_ft"):
            lab.done(f"dataset={dataset}", f"method={method}", "train.epochs=1")
    lab.done("dataset=bbbp", "method=lp", "train.epochs=1")  # alone: no ranking
    write_scores(*read_records(lab.store), tmp_path)
    found = made(tmp_path / "prior.csv", tmp_path / "scores.csv")
    assert set(found["task"]) == {"regression"}
    assert set(found["labels"]) == {50}
    assert found["tables"].tolist() == [2, 2]
    assert found["average_rank"].sum() == 3.0
    assert set(found["method"]) == {"lp", "full_ft"}


def test_the_shipped_one_is_that_of_the_committed_scores(tmp_path: Path) -> None:
    results = ROOT / "results"
    made(tmp_path / "prior.csv", *(results / name / "scores.csv" for name in ("gin_masking", "fine_tuning_nine")))
    shipped = (ROOT / "src" / "roftbench" / "assets" / "prior.csv").read_text(encoding="utf-8")
    assert (tmp_path / "prior.csv").read_text(encoding="utf-8") == shipped
