"""Variants of one method are compared by validation and by test score, as rows of their own."""

import subprocess
import sys

import pandas as pd
import pytest
from lab import ROOT

from roftbench.report.aggregate import long_table
from roftbench.report.scores import read_scores
from scripts.compare_variants import differences, variants

SCORES = ROOT / "results" / "wise_ft_grid" / "scores.csv"


@pytest.mark.parametrize("part", ["val", "test"])
def test_improvements_are_those_of_the_scores(part: str) -> None:
    """WiSE-FT with a share of 0.9 against 0.5: the mean over data sets of the mean relative change over columns."""
    found = differences(variants(long_table(read_scores(SCORES)[0]), "wise_ft", "alpha", part), "wise_ft alpha=0.9")
    table = pd.read_csv(SCORES)
    table["alpha"] = table["params"].str.extract(r'"alpha":([0-9.]+)').astype(float)
    table["score"] = table[f"{part}_rmse"].fillna(table[f"{part}_roc_auc"])
    means = table.pivot_table(index=["dataset", "metric", "split", "label_ratio"], columns="alpha", values="score")
    change = 100 * (means[0.5] - means[0.9]) / means[0.5]
    change = change.where(change.index.get_level_values("metric") == "rmse", -change)
    [row] = found[found["method"] == "wise_ft alpha=0.5"].to_dict("records")
    by_dataset = change.groupby(level="dataset").mean()
    assert row["improvement"] == pytest.approx(by_dataset.mean())
    assert (row["wins"], row["losses"]) == ((by_dataset > 0).sum(), (by_dataset < 0).sum())
    assert row["n"] == 6


def test_the_script_prints_every_variant_and_part() -> None:
    command = [sys.executable, "-m", "scripts.compare_variants", "--from", str(SCORES), "--method", "wise_ft"]
    shown = subprocess.run([*command, "--param", "alpha"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for value in (0.1, 0.3, 0.5, 0.7, 0.9):
        for part in ("val", "test"):
            assert f"wise_ft alpha={value}, {part} scores: improvement in % over" in shown
