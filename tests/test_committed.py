"""The results that are committed are those that this code gives."""

import pandas as pd
import pytest
from lab import ROOT, Lab


def test_a_committed_score_is_computed_again(lab: Lab) -> None:
    """Bit for bit on the processor that made it; elsewhere the last digits of sums may differ."""
    table = pd.read_csv(ROOT / "results" / "gin_masking" / "scores.csv")
    words = ["model=gin_masking", "method=lp", "dataset=freesolv", "split=scaffold", "label_ratio=n50", "train=paper"]
    record = lab.done(*words, "seed=0")
    [row] = table[table["key"] == record["key"]].to_dict("records")
    for part in ("val", "test"):
        for metric, value in record["scores"][part].items():
            assert row[f"{part}_{metric}"] == pytest.approx(value, rel=1e-4), (part, metric)
    assert row["data_sha256"] == record["data"]["sha256"]
