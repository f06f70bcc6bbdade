"""`roftbench export MODEL --hub FOLDER`: a folder with metadata and true scores, which `load` reads back equal."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Command
from lab import FOREST, Lab

import roftbench
from roftbench.predict.model_card import card
from roftbench.predict.saved_model import read_saved


def metadata(path: Path) -> tuple[dict[str, Any], str]:
    """Return the YAML at the beginning of a card, and the rest."""
    start, text, rest = path.read_text(encoding="utf-8").split("---\n", 2)
    assert start == ""
    return yaml.safe_load(text), rest


WHOLE = "--training-data"
FILES = {"README.md", "config.json", ".gitattributes", "model.json", "weights.safetensors", "molecules.safetensors"}


def test_training_molecules_stay_at_home(cli: Command, module_lab: Lab) -> None:
    folder = module_lab.store.model_path(module_lab.done("method=full_ft", "run.keep=true").key)
    ended = cli("export", str(folder), "--hub", "hub")
    assert ended.code == 0, ended
    assert {path.name for path in Path("hub").iterdir()} == FILES
    written = b"".join(path.read_bytes() for path in Path("hub").iterdir())
    model = roftbench.load(folder, device="cpu")
    assert not [one for one in model.saved[0].training.smiles if len(one) > 12 and one.encode() in written]
    assert "training.csv" not in ended.out + Path("hub/README.md").read_text(encoding="utf-8")
    smiles = ["CCO", "c1ccccc1O"]
    before, after = (one.predict(smiles) for one in (model, roftbench.load("hub", device="cpu")))
    same = [name for name in after.columns if name not in ("neighbor_smiles", "neighbor_id")]
    assert after[same].equals(before[same])
    cli("export", str(folder), "--onnx", "a.onnx", WHOLE).refused("--training-data belongs to --hub")


@pytest.mark.parametrize("words", [("method=full_ft",), (*FOREST, "dataset=bace")], ids=["network", "forest"])
def test_a_single_model_is_read_back_equal(cli: Command, module_lab: Lab, words: tuple[str, ...]) -> None:
    record = module_lab.done(*words, "run.keep=true")
    folder = module_lab.store.model_path(record.key)
    ended = cli("export", str(folder), "--hub", "hub/my-model", "--license", "mit", WHOLE)
    assert ended.code == 0, ended
    assert "training.csv" in ended.out
    assert {path.name for path in Path("hub/my-model").iterdir()} == {*FILES, "training.csv"}
    head, rest = metadata(Path("hub/my-model/README.md"))
    assert head["license"] == "mit"
    assert head["library_name"] == "roftbench"
    [index] = head["model-index"]
    assert index["name"] == "my-model"
    [result] = index["results"]
    assert result["dataset"] == {"name": record.job["dataset"]["name"], "type": record.job["dataset"]["name"],
                                 "split": "scaffold"}  # fmt: skip
    scores = {one["type"]: one["value"] for one in result["metrics"]}
    assert scores == {name: score for name, score in record.scores.test.items() if score is not None}
    assert rest.strip().startswith(card(read_saved(folder)).strip())
    assert "roftbench.load('FOLDER')" in rest
    assert json.loads(Path("hub/my-model/config.json").read_text())["models"] == [record.key]
    smiles = ["CCO", "c1ccccc1O", "junk"]
    before, after = (roftbench.load(one, device="cpu").predict(smiles) for one in (folder, "hub/my-model"))
    assert after.equals(before)
    assert cli("export", str(folder), "--hub", "hub/my-model").code == 0  # again, in place of the earlier one
    assert metadata(Path("hub/my-model/README.md"))[0]["license"] == "other"


def test_several_models_have_the_scores_of_their_mean(cli: Command, module_lab: Lab) -> None:
    folders = [module_lab.store.model_path(module_lab.done("method=full_ft", f"seed={seed}", "run.keep=true").key)
               for seed in (0, 1)]  # fmt: skip
    assert cli("export", ",".join(map(str, folders)), "--hub", "hub", WHOLE).code == 0
    head, rest = metadata(Path("hub/README.md"))
    model = roftbench.load(*folders, device="cpu")
    test = model.test
    rmse = float(((test.prediction - test.y) ** 2).mean() ** 0.5)
    [result] = head["model-index"][0]["results"]
    [found] = [one for one in result["metrics"] if one["type"] == "rmse"]
    assert found["value"] == pytest.approx(rmse)
    assert "mean of 2 models" in found["name"]
    assert all(f"({folder.name}/README.md)" in rest for folder in folders)
    assert roftbench.load("hub", device="cpu").predict(["CCO"]).equals(model.predict(["CCO"]))


def test_wrong_licenses_and_foreign_folders_are_refused(cli: Command, module_lab: Lab) -> None:
    folder = str(module_lab.store.model_path(module_lab.done("method=full_ft", "run.keep=true").key))
    cli("export", folder, "--hub", "hub", "--license", "MITT").refused("MITT", "mit")
    Path("hub").mkdir()
    Path("hub/mine.txt").write_text("mine")
    cli("export", folder, "--hub", "hub").refused("holds no saved model, but other files")
    assert [path.name for path in Path("hub").iterdir()] == ["mine.txt"]
