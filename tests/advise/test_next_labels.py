"""Molecules to measure next: uncertain and diverse ones, none that is labeled, each with its reason."""

import csv
from pathlib import Path

import numpy as np
import pytest
from command import Command
from lab import Lab, write_csv
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from refusals import raises_usage

from roftbench.advise.next_labels import Pool, Ranked, mean_of_tasks
from roftbench.advise.race_jobs import RaceJobs
from roftbench.advise.settings import separated

LABELED = ["C" * length + end for length in range(2, 17) for end in ("O", "N")]
NEAR = ["C" * length + "O" for length in range(17, 27)]
FAR = ["c1ccc2ccccc2c1", "O=C1NC(=O)C(=O)N1", "FC(F)(F)S(=O)(=O)c1ccsc1", "N#Cc1ncc[nH]1"]


def race(lab: Lab, path: Path, *more: str) -> RaceJobs:
    settings, others = separated(
        ["dataset=csv", f"dataset.path={path}", "split=random", "advise.by=random", "advise.features=ecfp",
         "advise.models=tiny_gin", "advise.methods=lp", "run.device=cpu", "run.threads=1",
         f"paths.results={lab.results}", f"paths.cache={lab.cache}", *more]
    )  # fmt: skip
    return RaceJobs(settings, others, None)


@pytest.fixture
def jobs(lab: Lab, tmp_path: Path) -> RaceJobs:
    return race(lab, write_csv(tmp_path / "own.csv", {"smiles": LABELED, "y": [0.1 * len(one) for one in LABELED]}))


def bits_of(smiles: str) -> DataStructs.ExplicitBitVect:
    return rdFingerprintGenerator.GetMorganGenerator(2, fpSize=2048).GetFingerprint(Chem.MolFromSmiles(smiles))


def ranked(jobs: RaceJobs, pool: Path, picks: int, lab: Lab, method: str, *more: str) -> Ranked:
    """Rank a pool by a saved model."""
    done = lab.done(
        "dataset=csv", f"dataset.path={jobs.job.dataset.path}", "split=random", "label_ratio=full", "model=ecfp",
        f"method={method}", "run.keep=true", *more,
    )  # fmt: skip
    return Pool.opened(pool, jobs.dataset).ranked([lab.store.model_path(done.key)], jobs, picks)


@pytest.mark.parametrize("method", ["gp", "ridge"])
def test_uncertain_and_diverse_molecules_are_listed_with_reasons(
    jobs: RaceJobs, lab: Lab, tmp_path: Path, method: str
) -> None:
    smiles = [LABELED[3], *NEAR, *FAR, "OCC", FAR[0], "no molecule"]
    pool = write_csv(tmp_path / "more.csv", {"rank": range(len(smiles)), "smiles": smiles})
    found = ranked(jobs, pool, 5, lab, method)
    path = found.write(tmp_path / "next.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert found.header[:4] == ["rank", "why", "uncertainty", "similarity"]
    assert found.header[-2:] == ["given_rank", "smiles"]
    assert [row["rank"] for row in rows] == list("12345")
    assert {row["smiles"] for row in rows} >= set(FAR)  # far from all that is labeled, for either reason
    assert not {row["smiles"] for row in rows} & {*LABELED, "no molecule"}
    assert all(float(row["y_predicted"]) for row in rows)
    assert "left out: 1 row without a prediction, 3 that are labeled or occur twice" in found.words
    for row in rows:
        near = max(DataStructs.BulkTanimotoSimilarity(bits_of(row["smiles"]), [bits_of(one) for one in LABELED]))
        assert float(row["similarity"]) == pytest.approx(near, abs=6e-4)
        assert "most uncertain of 14" in row["why"] or "pick for diversity" in row["why"]
    uncertain = [float(row["uncertainty"]) for row in rows if "1st most" in row["why"] or "2nd most" in row["why"]]
    assert uncertain == sorted(uncertain, reverse=True)
    assert any("1st pick for diversity" in row["why"] for row in rows)


@pytest.mark.parametrize("classes", [False, True], ids=["regression", "classification"])
def test_the_uncertainty_of_several_tasks_is_their_mean(lab: Lab, tmp_path: Path, classes: bool) -> None:
    lengths = [len(one) for one in LABELED]
    tasks = {"a": [0.1 * one for one in lengths], "b": [float(one % 7) for one in lengths]}
    if classes:
        tasks = {"a": [one % 2 for one in lengths], "b": [int(one % 3 > 0) for one in lengths]}
    more = "dataset.targets=[a,b]"
    jobs = race(lab, write_csv(tmp_path / "own.csv", {"smiles": LABELED, **tasks}), more)
    pool = write_csv(tmp_path / "more.csv", {"smiles": [*NEAR, *FAR]})
    found = ranked(jobs, pool, 3, lab, "gp", more)
    assert len(set(found.header)) == len(found.header)
    end = "_probability" if classes else "_std"
    for row in (dict(zip(found.header, row, strict=True)) for row in found.rows):
        values = np.array([float(row[f"{name}{end}"]) for name in tasks])
        units = np.nanstd(jobs.dataset.y, axis=0)
        expected = np.sqrt(values * (1 - values)).mean() if classes else (values / units).mean()
        assert float(row["uncertainty"]) == pytest.approx(expected, rel=0.05)  # deviations have two digits


def test_predictions_are_written_as_predict_writes_them(cli: Command, tmp_path: Path) -> None:
    """With their digits, and an empty cell where the nearest molecule has no label."""
    known = [round(1234.5678 + 0.1 * len(one), 4) for one in LABELED]
    tasks = {"a": known, "b": ["" if one.endswith("O") else 0.01 * len(one) for one in LABELED]}
    more = "dataset.targets=[a,b]"
    jobs = race(cli.lab, write_csv(tmp_path / "own.csv", {"smiles": LABELED, **tasks}), more)
    pool = write_csv(tmp_path / "more.csv", {"smiles": [*NEAR, *FAR]})
    ranked(jobs, pool, len(NEAR), cli.lab, "gp", more).write(tmp_path / "next.csv")
    files = f"input={tmp_path / 'next.csv'}", f"output={tmp_path / 'out.csv'}"
    assert cli("predict", f"model_dir={cli.lab.store.model_path(cli.record().key)}", *files, "prefix=new_").code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    of_tasks = [name for name in rows[0] if name.startswith(("a_", "b_"))]
    assert len(of_tasks) == 10
    for name in of_tasks:
        assert [row[name] for row in rows] == [row[f"new_{name}"] for row in rows]
    assert any(row["b_neighbor"] == "" for row in rows)
    assert {row["a_neighbor"] for row in rows} <= {f"{value:.3f}" for value in known}


def test_a_pool_that_cannot_be_read_or_has_nothing_new_is_told(jobs: RaceJobs, lab: Lab, tmp_path: Path) -> None:
    with raises_usage("advise.pool=", key="advise.pool"):
        Pool.opened(tmp_path / "missing.csv", jobs.dataset)
    pool = write_csv(tmp_path / "same.csv", {"smiles": LABELED})
    with raises_usage("no row is a molecule without a label", key="advise.pool", got=str(pool)):
        ranked(jobs, pool, 5, lab, "ridge")


def test_a_task_without_a_deviation_leaves_those_of_the_others() -> None:
    nan = float("nan")
    assert mean_of_tasks(np.array([[1.0, nan], [3.0, nan], [nan, nan]])).tolist() == [1.0, 3.0, 0.0]
    assert mean_of_tasks(np.array([[1.0, 2.0]])).tolist() == [1.5]
