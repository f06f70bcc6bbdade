"""The regret of advise: races on a folder of tables, replayed from the store by the recorded clock."""

import csv
import importlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, write_csv

SMILES = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F", "Cl")]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(time, "monotonic", time.monotonic)  # which the script replaces
    return importlib.import_module("scripts.advise_regret")


@pytest.mark.whole
def test_a_recommendation_is_compared_with_every_candidate_and_races_are_replayed(
    script: Any, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = tmp_path / "tables", tmp_path / "output"
    folder.mkdir()
    write_csv(
        folder / "ours.csv", {"smiles": SMILES, "y": [0.3 * len(one) + 0.1 * (n % 3) for n, one in enumerate(SMILES)]}
    )
    words = [
        str(folder), "--results", str(lab.results), "--output", str(output), "--tables", "ours", "--labels", "25",
        "--budgets", "5m", f"paths.cache={lab.cache}", "train=smoke", "advise.models=tiny_gin",
        "advise.methods=lp,full_ft", "advise.members=1", "advise.folds=3", "advise.features=ecfp",
        "advise.estimators=random_forest,gp",
    ]  # fmt: skip
    assert script.main(words) == 0
    one = json.loads((output / "ours-25-5m.json").read_text(encoding="utf-8"))
    assert set(one["scores"]) == {"ecfp · random_forest", "ecfp · gp", "tiny_gin · lp", "tiny_gin · full_ft"}
    best = min(one["scores"].values())
    told = (output / "regret.md").read_text(encoding="utf-8")
    assert f"{100 * (one['test'] / best - 1):+.1f} %" in told
    with (output / "regret.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["candidate"]: float(row["score"]) for row in csv.DictReader(file)}
    assert rows == pytest.approx(one["scores"], rel=1e-4)
    # From the store alone: the same race at the same cost, though nothing runs.
    (output / "ours-25-5m.json").unlink()
    monkeypatch.setattr("roftbench.advise.jobs.work", None)
    assert script.main(words) == 0
    again = json.loads((output / "ours-25-5m.json").read_text(encoding="utf-8"))
    assert again["used"] > 0
    assert {**again, "used": 0} == {**one, "used": 0}
