"""What candidates need fitted, and which of it has one name because it is the same."""

from dataclasses import replace
from typing import Any

import pytest
from lab import METHODS, Lab

from roftbench.config.components import build
from roftbench.runner.stages import Needed, needed

STAGES = {"lp": ["lp"], "lp_ft": ["lp", "ft"], "roftmol": ["ft", "finish"], "tpgm": ["ft", "finish"]}
STAGES |= dict.fromkeys(["soup_uniform", "soup_greedy", "ensemble"], ["ft"] * 5)


def needs(lab: Lab, *overrides: str, device: str = "cpu") -> list[Needed]:
    job, _ = lab.job(*overrides)
    return needed(job, build(job.method), device)


def keys(lab: Lab, *overrides: str, **more: Any) -> list[str]:
    return [one.key for one in needs(lab, *overrides, **more)]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_needs_its_stages_and_what_it_learns_on_validation(lab: Lab, method: str) -> None:
    found = needs(lab, f"method={method}")
    assert [one.name for one in found] == STAGES.get(method, ["ft"])
    assert [one.stage is None for one in found] == [one.name == "finish" for one in found]


def test_equal_fits_have_one_name_whatever_the_method(lab: Lab) -> None:
    full = keys(lab, "method=full_ft")
    assert keys(lab, "method=wise_ft", "method.alpha=0.1") == keys(lab, "method=wise_ft") == full
    assert keys(lab, "method=roftmol")[:1] == full
    assert keys(lab, "method=lines") == keys(lab, "method=tpgm")[:1] == full
    assert keys(lab, "method=gradual", "method.unfreeze_every=0") == full
    assert keys(lab, "method=lp_ft")[:1] == keys(lab, "method=lp")
    assert keys(lab, "method=full_ft", "run.threads=2", "run.rerun=true") == full


def test_what_decides_a_fit_is_in_its_name(lab: Lab) -> None:
    others = [
        keys(lab, "method=full_ft", *more)
        for more in (
            ["seed=1"], ["dataset=freesolv"], ["label_ratio=n100"], ["split=random"], ["split=random", "split.seed=1"],
            ["train.lr=0.01"], ["train.epochs=4"], ["model.dim=8"],
        )
    ]  # fmt: skip
    others += [keys(lab, "method=full_ft", device="cuda"), keys(lab, "method=lp")]
    others += [keys(lab, f"method={name}") for name in ("l2_sp", "bss", "feature_map", "surgical_ft")]
    others += [keys(lab, f"method={name}") for name in ("spd", "ftp", "ema", "swa", "mixout", "gtot", "bitfit")]
    others += [keys(lab, f"method={name}") for name in ("adapter", "lora", "gpf", "gpf_plus")]
    others += [keys(lab, "method=lora", "method.rank=4"), keys(lab, "method=gpf", "method.head=mlp")]
    others += [keys(lab, "method=spd", "method.weight=2"), keys(lab, "method=bitfit", "method.trained=norms")]
    others += [keys(lab, "method=gradual", *more) for more in ([], ["method.lr_decay=0.5"], ["method.lrs={embed: 1}"])]
    others += [keys(lab, "method=l2_sp", "method.weight=0.5"), keys(lab, "method=surgical_ft", "method.block=layer1")]
    names = [tuple(one) for one in (*others, keys(lab, "method=full_ft"))]
    assert len(set(names)) == len(names)


def test_what_is_learned_afterward_depends_on_the_methods_own_values(lab: Lab) -> None:
    given, other = keys(lab, "method=roftmol"), keys(lab, "method=roftmol", "method.lr=0.5")
    assert given[0] == other[0]
    assert given[1] != other[1]


def test_a_method_with_a_new_definition_learns_anew_from_the_same_fit(lab: Lab) -> None:
    job, _ = lab.job("method=roftmol")
    assert job.method.protocol == 4
    before = replace(job, method=replace(job.method, protocol=None))
    method = build(job.method)
    (fit, learned), (old_fit, old_learned) = needed(job, method, "cpu"), needed(before, method, "cpu")
    assert fit == old_fit
    assert learned.key != old_learned.key
    assert job.key != before.key


def test_an_encoder_whose_training_was_corrected_is_fitted_anew_and_its_frozen_states_are_not(lab: Lab) -> None:
    job, _ = lab.job("method=lp_ft")
    method = build(job.method)
    corrected = replace(job, model=replace(job.model, protocol=2))
    (head, tuned), (same_head, newly_tuned) = needed(job, method, "cpu"), needed(corrected, method, "cpu")
    assert head == same_head
    assert tuned.key != newly_tuned.key


def test_the_second_stage_depends_on_the_first(lab: Lab) -> None:
    assert keys(lab, "method=lp_ft")[1] != keys(lab, "method=full_ft")[0]
