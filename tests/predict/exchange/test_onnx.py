"""`roftbench export MODEL --onnx FILE`: onnxruntime predicts what `roftbench predict` does."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Command
from fenced import blocks
from lab import FOREST, ROOT, Lab
from refusals import raises_usage

import roftbench
from roftbench.predict.exchange.onnx import INPUTS, onnx_inputs

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

MOLECULES = ["CCO", "c1ccccc1O", "C", "[Na+].[Cl-]", "F/C=C\\Cl", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O"]
SIZES = (1, 2, 7, 33, 200)


def kept(lab: Lab, *overrides: str) -> Path:
    return lab.store.model_path(lab.done(*overrides, "run.keep=true").key)


def outputs(session: Any, smiles: list[str]) -> np.ndarray[Any, Any]:
    [found] = session.run(None, roftbench.onnx_inputs(smiles))
    return np.asarray(found)


def check(path: str, model: roftbench.predict.ensemble.Ensemble, end: str) -> None:
    """Compare predictions for batches of several sizes, single atoms without bonds among them."""
    session = onnxruntime.InferenceSession(path)
    assert [one.name for one in session.get_inputs()] == list(INPUTS)
    for smiles in [["C"], ["N", "[Cl-]"], *((MOLECULES * 30)[:size] for size in SIZES)]:
        wanted = model.predict(smiles)[[f"{name}{end}" for name in model.targets]].to_numpy()
        np.testing.assert_allclose(outputs(session, smiles), wanted, rtol=1e-5, atol=1e-5)


def test_a_regression_is_equal_at_all_batch_sizes(cli: Command, module_lab: Lab) -> None:
    folder = kept(module_lab, "method=full_ft", "train.standardize_targets=true")
    ended = cli("export", str(folder), "--onnx", "model.onnx")
    assert ended.code == 0, ended
    assert sorted(path.name for path in Path().iterdir()) == ["model.onnx", "model.onnx.json"]
    check("model.onnx", roftbench.load(folder, device="cpu"), "_predicted")
    facts = json.loads(Path("model.onnx.json").read_text())
    assert facts["models"] == [folder.name]
    assert facts["inputs"].keys() == INPUTS.keys()
    assert facts["task"] == "regression"
    [code] = [text for _, text in blocks(ROOT / "docs" / "predict.md") if "onnxruntime.Inf" in text]
    names: dict[str, Any] = {}
    exec(code, names)  # the example of the documentation
    assert names["prediction"].shape == (2, 1)


def test_calibrated_probabilities_of_two_models_are_equal(cli: Command, module_lab: Lab) -> None:
    words = "model=gat", "model.num_layers=2", "model.dim=16", "model.checkpoint=null", "dataset=bace", "method=full_ft"
    folders = [kept(module_lab, *words, f"seed={seed}") for seed in (0, 1)]
    assert cli("export", ",".join(map(str, folders)), "--onnx", "model.onnx").code == 0
    model = roftbench.load(*folders, device="cpu")
    assert (model.calibration != (1, 0)).any()
    check("model.onnx", model, "_probability")
    assert json.loads(Path("model.onnx.json").read_text())["positive_class"] == "1"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (FOREST, ("method=random_forest is no network",)),
        (("method=adapter",), ("method=adapter adds modules of its own",)),
        (("model=moleculestm", "model.num_layers=1", "model.dim=8", "model.checkpoint=null", "method=lp"),
         ("MoleculeSTM", "GIN, GCN, GraphSAGE, GAT, MolCLRGCN")),
    ],
    ids=["estimator", "extended", "architecture"],
)  # fmt: skip
def test_what_onnx_cannot_hold_is_named(
    cli: Command, module_lab: Lab, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    cli("export", str(kept(module_lab, *words)), "--onnx", "model.onnx").refused("cannot be exported to ONNX", *parts)
    assert list(Path().iterdir()) == []


def test_wrong_words_are_refused(cli: Command, module_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(kept(module_lab, "method=full_ft"))
    cli("export", folder).refused("--onnx FILE, --hub FOLDER")
    cli("export", folder, "--onnx", "model.bin").refused("must end with .onnx")
    cli("export", folder, "--onnx", "a.onnx", "--license", "mit").refused("--license belongs to --hub")
    cli("export", folder, "--onnx", "a.onnx", "device=cpu").refused("unknown key 'device'", "plugins")
    cli("export", "nowhere", "--onnx", "a.onnx").refused("nowhere holds no saved model")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    cli("export", folder, "--onnx", "a.onnx").refused("needs the package onnxscript", "roftbench[onnx]")


def test_molecules_without_a_graph_are_refused() -> None:
    with raises_usage(r"smiles\[1\] has no graph: RDKit cannot parse", key="smiles"):
        onnx_inputs(["C", "junk"])
    with raises_usage("there is none", key="smiles"):
        onnx_inputs([])
    assert onnx_inputs(["CC.Cl"], strip_salts=True)["graph_size"].tolist() == [2]
