"""Representations: those that the head reads, in the order of rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from command import Command
from lab import Lab
from refusals import raises_usage

import roftbench

TEXTS = ["CCO", "junk", "c1ccccc1O", "", "CC(=O)Oc1ccccc1C(=O)O"]


def test_a_pretrained_model_gives_what_the_head_reads(lab: Lab) -> None:
    experiment = lab.experiment("model=gin_masking")
    index = experiment.objective.test[:5]
    with torch.no_grad():
        expected = experiment.model.eval().represent(experiment.objective.graphs.batch(index)).numpy()
    found = roftbench.embed([experiment.dataset.smiles[i] for i in index.tolist()], model="gin_masking", device="cpu")
    assert np.allclose(found, expected, atol=1e-5)


def test_both_files_hold_the_rows_in_order(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles\n" + "\n".join(TEXTS) + "\n", encoding="utf-8")
    for name in ("z.npz", "z.parquet"):
        assert cli("embed", "model=tiny_gin", f"input={tmp_path / 'in.csv'}", f"output={name}", "device=cpu").code == 0
    expected = roftbench.embed(TEXTS, model="tiny_gin", device="cpu")
    held = np.load("z.npz")
    assert np.array_equal(held["embedding"], expected, equal_nan=True)
    assert np.isnan(expected).all(axis=1).tolist() == [False, True, False, True, False]
    assert held["smiles"].tolist() == TEXTS
    assert [bool(reason) for reason in held["reason"]] == [False, True, False, True, False]
    table = pd.read_parquet("z.parquet")
    assert np.array_equal(table.filter(regex=r"^e\d+$").to_numpy(), expected, equal_nan=True)


def test_saved_model_embeds_and_a_fingerprint_cannot(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles\nCCO\n", encoding="utf-8")
    folder = cli.lab.store.model_path(cli.lab.done("method=lp", "run.keep=true").key)
    given = f"input={tmp_path / 'in.csv'}", "output=z.npz"
    assert cli("embed", f"model_dir={folder}", *given).code == 0
    assert np.load("z.npz")["embedding"].shape == (1, 16)
    cli("embed", *given).refused("model=NAME", "model_dir=DIR")
    cli("embed", "model=ecfp", *given).refused("a fingerprint, without a network")
    assert cli("embed", f"model_dir={folder}", "paths.cache=elsewhere", "plugins=[json]", *given).code == 0
    cli("embed", f"model_dir={folder}", "model=tiny_gin", *given).refused("model=NAME", "model_dir=DIR")
    cli("embed", "model=gin_maskin", *given).refused("Did you mean 'gin_masking'")


def test_the_input_is_never_overwritten(cli: Command, tmp_path: Path) -> None:
    table = tmp_path / "in.parquet"
    pd.DataFrame({"smiles": ["CCO"], "y": [1.0]}).to_parquet(table)
    before = table.read_bytes()
    cli("embed", "model=tiny_gin", f"input={table}", f"output={tmp_path}/./in.parquet").refused("is the input")
    assert table.read_bytes() == before
    own = tmp_path / "own.csv"
    own.write_text("smiles,y\nCCO,1.5\nCCN,2.5\nCCC,3.5\n", encoding="utf-8")
    cli("data", str(own), "--out", str(own)).refused("is the input")
    assert own.read_text(encoding="utf-8").startswith("smiles,y\nCCO")


def test_nothing_embeds_to_no_rows_of_the_models_width(lab: Lab) -> None:
    assert roftbench.embed([], "gin_masking").shape == (0, 300)
    found = roftbench.embed(["CCO", None, float("nan")], "gin_masking")  # type: ignore[list-item]
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True]
    found = roftbench.embed(pd.Series(["CCO", None], dtype="string"), "gin_masking")  # type: ignore[arg-type]
    assert np.isnan(found).all(axis=1).tolist() == [False, True]


def test_a_text_is_no_list_of_smiles(lab: Lab) -> None:
    folder = lab.store.model_path(lab.done("method=lp", "run.keep=true").key)
    model = roftbench.load(folder, device="cpu")
    asked = (
        lambda: model.predict("CCO"),
        lambda: model.embed("CCO"),
        lambda: roftbench.embed("CCO", model="tiny_gin", device="cpu"),
    )
    for ask in asked:
        with raises_usage(r"\['CCO'\]", key="smiles", got="CCO"):
            ask()
    with raises_usage("one by one", key="model_dirs", got=([folder],)):
        roftbench.load([folder])  # type: ignore[arg-type]
