"""`Ensemble.save`: models in one folder, replaced as a whole."""

from pathlib import Path

import pandas as pd
import pytest
from command import Command
from lab import Lab, write_csv
from refusals import raises_usage

from roftbench.predict.ensemble import Ensemble, load

NEW = ["CCO", "c1ccccc1O", "what"]


@pytest.fixture
def models(lab: Lab) -> list[Path]:
    jobs = [lab.done("method=lp", "run.keep=true", f"seed={seed}").key for seed in (0, 1, 2)]
    return [lab.results / "models" / key for key in jobs]


def same(one: Ensemble, other: Ensemble) -> None:
    pd.testing.assert_frame_equal(one.predict(NEW), other.predict(NEW), check_exact=True)
    assert [model.sha256 for model in one.saved] == [model.sha256 for model in other.saved]


def test_saved_models_predict_the_same_and_replace_one_another(models: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "saved"
    for chosen in (models[:1], models, models[1:], models[2:]):
        found = load(*chosen)
        assert found.save(folder) == folder
        same(load(folder), found)
        (folder / "mine.txt").write_text("notes")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "mine.txt", "model.json", "molecules.safetensors", "training.csv", "weights.safetensors",
    ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


def test_lost_member_is_noticed(models: list[Path], tmp_path: Path) -> None:
    folder = load(*models).save(tmp_path / "saved")
    (folder / models[1].name / "model.json").unlink()
    with raises_usage(key="model_dir"):
        load(folder)
    (folder / "ensemble.json").write_text('{"models": ["../elsewhere"]}')
    with raises_usage(match="names no models", key="model_dir"):
        load(folder)


def test_folder_of_other_files_is_refused(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with raises_usage(key="folder"):
        load(models[0]).save(tmp_path)
    with raises_usage(key="folder"):
        load(models[0]).save(models[0].parent)  # results/models, which holds many
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_failed_saving_leaves_the_earlier_model(
    models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(models[0])
    folder = first.save(tmp_path / "saved")

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("roftbench.predict.saved_ensemble.write_text", full)
    with raises_usage(match="No space left", key="folder"):
        load(*models[1:]).save(folder)
    same(load(folder), first)
    assert [path.name for path in tmp_path.iterdir() if "saved" in path.name] == ["saved"]


def test_command_line_reads_the_folder(models: list[Path], tmp_path: Path, cli: Command) -> None:
    folder = load(*models).save(tmp_path / "saved")
    table = write_csv(tmp_path / "new.csv", {"smiles": NEW})
    ended = cli("predict", f"model_dir={folder}", f"input={table}", "output=found.csv", "--full")
    assert ended.code == 0, ended
    texts = dict.fromkeys(("in_domain", "neighbor_smiles", "reason"), "")
    found = pd.read_csv("found.csv", keep_default_na=False, na_values=[""]).fillna(texts)
    pd.testing.assert_frame_equal(found, load(folder).predict(NEW), check_dtype=False)
    cli("embed", f"model_dir={folder}", f"input={table}", "output=z.npz").refused("those of a single model")


def test_repr_says_what_it_is(models: list[Path]) -> None:
    assert repr(load(*models)).startswith("<Ensemble of 3 models: tiny_gin · lp; regression of measured log solubility")
