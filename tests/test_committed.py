"""The results that are committed are those that this code gives."""

from pathlib import Path

import pandas as pd
import pytest
from command import Command
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


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in ROOT.glob("results/*/scores.csv")), ids=lambda p: p.name
)
def test_committed_tables_are_those_of_the_committed_scores(cli: Command, tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "tables"
    by = "model" if (folder / "models.csv").exists() else "method"
    ended = cli("tables", "--by", by, "--from", str(folder / "scores.csv"), "--out", str(out))
    assert ended.code == 0, ended
    assert {path.name for path in out.iterdir()} == {path.name for path in folder.iterdir()}
    for path in out.iterdir():
        if path.suffix not in (".svg", ".pdf"):  # those depend on the machine's fonts
            assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
