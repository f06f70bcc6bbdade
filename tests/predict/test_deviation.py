"""`TASK_std` of Gaussian processes: their own deviation, alone and together with others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from lab import FOREST, Lab

import roftbench
from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.methods.kernels import tanimoto

GP = ("model=ecfp", "method=gp")
SMILES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "C1CCCCC1Br"]


def saved(lab: Lab, *overrides: str) -> Path:
    return lab.store.model_path(lab.done(*overrides, "run.keep=true").key)


def moments(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return means and deviations by inverting the covariance of a saved model's training molecules."""
    arrays = {name.partition(".")[2]: one.numpy() for name, one in roftbench.load(folder).saved[0].weights.items()}
    center, signal, noise, _ = arrays["numbers"]
    bits = np.unpackbits(fingerprints([parse_smiles(text) for text in SMILES]), 1, bitorder="little")
    inverse = np.linalg.inv(tanimoto(arrays["x"], arrays["x"]) + noise * np.eye(len(arrays["y"])))
    common = tanimoto(bits, arrays["x"])
    variance = signal * (1 + noise - np.einsum("mi,ij,mj->m", common, inverse, common))
    return center + common @ inverse @ (arrays["y"] - center), np.sqrt(variance)


def test_a_single_process_has_its_own_deviation_in_every_output(cli: Command) -> None:
    folder = saved(cli.lab, *GP)
    mean, deviation = moments(folder)
    found = roftbench.load(folder).predict([*SMILES, "C1CC"])
    assert [str(name).rpartition("_")[2] for name in found.columns[1:5]] == ["predicted", "std", "low", "high"]
    assert found.iloc[:4, 1].to_numpy() == pytest.approx(mean, abs=1e-6)
    assert found.iloc[:4, 2].to_numpy() == pytest.approx(deviation, abs=1e-6)
    assert np.isnan(found.iloc[4, 2])
    Path("in.csv").write_text("smiles\n" + "\n".join(SMILES) + "\n")
    assert cli("predict", f"model_dir={folder}", "input=in.csv", "output=out.csv", "--full").code == 0
    assert pd.read_csv("out.csv").iloc[:, 2].to_numpy() == pytest.approx(deviation, abs=1e-6)
    assert "standard deviation of a new measurement by the model's own distribution (`gp`)" in card(folder)


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_several_processes_have_the_deviation_of_their_mixture(lab: Lab) -> None:
    folders = [saved(lab, *GP, f"label_ratio.count={count}") for count in (50, 80)]
    means, deviations = (np.stack(one) for one in zip(*map(moments, folders), strict=True))
    found = roftbench.load(*folders).predict(SMILES)
    assert found.iloc[:, 1].to_numpy() == pytest.approx(means.mean(axis=0), abs=1e-6)
    # The variance of draws from either process with equal probability.
    rng = np.random.default_rng(0)
    draws = rng.normal(means[:, None], deviations[:, None], (2, 400_000, 4)).reshape(-1, 4)
    assert found.iloc[:, 2].to_numpy() == pytest.approx(draws.std(axis=0), rel=5e-3)
    second_moment = (deviations**2 + means**2).mean(axis=0)
    assert found.iloc[:, 2].to_numpy() == pytest.approx(np.sqrt(second_moment - means.mean(axis=0) ** 2), abs=1e-6)


def test_beside_a_model_without_a_deviation_the_spread_of_predictions_remains(lab: Lab) -> None:
    folders = [saved(lab, *GP), saved(lab, *FOREST)]
    each = np.stack([roftbench.load(folder).predict(SMILES).iloc[:, 1] for folder in folders])
    found = roftbench.load(*folders).predict(SMILES)
    assert found.iloc[:, 2].to_numpy() == pytest.approx(each.std(axis=0, ddof=1))


def test_a_process_on_embeddings_widens_with_the_distance_from_them(lab: Lab) -> None:
    folder = saved(lab, "model=gin_masking", "method=gp", "label_ratio=n100")
    found = roftbench.load(folder, device="cpu").predict(["CCO", "[U](F)(F)(F)(F)(F)F"])
    near, far = found.iloc[:, 2]
    assert 0 < near < far


def test_classes_have_no_deviation(lab: Lab) -> None:
    folder = saved(lab, *GP, "dataset=bbbp")
    expected = ["p_np_probability", "p_np_neighbor", "similarity", "neighbor_row"]
    assert [str(name) for name in roftbench.load(folder).columns] == expected
    assert "TASK_std" not in card(folder)
