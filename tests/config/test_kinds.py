"""Networks and fingerprints, and the methods of each: a wrong pair is one message before anything runs."""

from pathlib import Path

import pytest
from command import Command
from lab import FOREST, Lab
from refusals import raises_usage

from roftbench.store.record_schema import LabelCount

WRONG = {
    "a network's method": (("model=ecfp", "method=full_ft"), "model=ecfp is a fingerprint", "method=gp,knn,mean,pls,"),
    "the default method": (("model=ecfp",), "model=ecfp is a fingerprint", "method=gp,knn,mean,pls,"),
    "a sweep over both": (
        ("-m", "model=ecfp,gin_masking", "method=random_forest,lp"),
        "model=ecfp is a fingerprint, but method=lp is for a network",
        "Allowed with method=lp: model=",
    ),
    "a later value of a sweep": (
        ("-m", "method=lp", "model=tiny_gin,ecfp"),
        "model=ecfp is a fingerprint, but method=lp is for a network",
        "(see roftbench list models)",
    ),
    "weights": ((*FOREST, "model.checkpoint=x.pth"), "model.checkpoint=x.pth", "without weights"),
    "blocks": ((*FOREST, "method.grid.max_features=encoder_blocks"), "method.grid.max_features", "list of values"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_together_is_one_message_and_no_job(cli: Command, case: str) -> None:
    overrides, *parts = WRONG[case]
    ended = cli("run", "run.device=cpu", *overrides)
    ended.refused(*parts)
    assert ended.out == ""
    assert cli.files() == []


PLUGIN = """
from dataclasses import dataclass

import numpy as np

from roftbench.methods.estimator import Estimator
from roftbench.models.fingerprint import Fingerprint


@dataclass(frozen=True)
class Length(Fingerprint):
    letters: str = "CN"

    def features(self, dataset):
        return np.array([[text.count(letter) for letter in self.letters] for text in dataset.smiles])


@dataclass(frozen=True)
class Linear(Estimator):
    bias: float = 0.0

    def fit(self, x, y, task, *, seed, threads):
        w = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
        return lambda x: np.c_[x, np.ones(len(x))] @ w + {bias}
"""
LINEAR = "bias: 0.0\nsearch: false\ngrid: { bias: [0, 9] }\n"


def plugin(folder: Path, bias: str = "self.bias") -> tuple[str, ...]:
    (folder / "mine_line.py").write_text(PLUGIN.replace("{bias}", bias))
    for group, name, target, more in (("model", "length", "Length", ""), ("method", "linear", "Linear", LINEAR)):
        (folder / "conf" / group).mkdir(parents=True)
        (folder / "conf" / group / f"{name}.yaml").write_text(f"name: {name}\n_target_: mine_line.{target}\n{more}")
    return f"--config-dir={folder / 'conf'}", f"plugins=[{folder / 'mine_line.py'}]", "model=length", "method=linear"


def test_a_fingerprint_and_an_estimator_of_ones_own(cli: Command, lab: Lab, tmp_path: Path) -> None:
    ended = cli.run(*plugin(tmp_path), "method.search=true")
    assert ended.code == 0, ended
    (record,) = lab.store.load()
    assert record.chosen == {"bias": 0.0}
    assert [one.params["bias"] for one in record.candidates] == [0.0, 9.0]
    assert record.count.labels == LabelCount(weights=50, selection=113, interpolation=0, test=113)


def test_predictions_that_are_no_numbers_are_a_recorded_failure(cli: Command, lab: Lab, tmp_path: Path) -> None:
    ended = cli.run(*plugin(tmp_path, "np.nan"))
    assert ended.code == 1
    assert "failed: the fitted model's predictions are not all finite numbers." in ended.out
    assert [record.status for record in lab.store.load_failures()] == ["failed"]
    assert lab.store.load() == []


def test_a_wrong_class_names_what_it_may_be(lab: Lab) -> None:
    bases = r"encoder\.Encoder or roftbench\.models\.fingerprint\.Fingerprint"
    with raises_usage(bases, key="model._target_", got="roftbench.methods.lp.LinearProbing"):
        lab.job(
            "model._target_=roftbench.methods.lp.LinearProbing", "~model.num_layers", "~model.dim", "~model.dropout"
        )
