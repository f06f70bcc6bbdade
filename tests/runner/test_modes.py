"""What a stage trains: parameters by name, blocks that join, and learning rates of blocks."""

from typing import Any

import pytest
import torch
from lab import Lab, equal, moved
from refusals import raises_usage
from stage_fits import fit, keys_of

from roftbench.errors import SkipJob
from roftbench.methods.adam import Adam, AdamGroups
from roftbench.methods.base import Stage
from roftbench.methods.bitfit import BitFit
from roftbench.methods.gradual import Gradual
from roftbench.models.encoder import HEAD, copy_state
from roftbench.runner.modes import Modes
from roftbench.runner.network import NetworkExperiment

HEAD_KEYS = {"head.weight", "head.bias"}


def modes(experiment: NetworkExperiment, **given: Any) -> Modes:
    return Modes(experiment.model, list(experiment.model.blocks()), "eval", Stage("ft", **given))


@pytest.mark.parametrize("trained", ["biases", "norms", "both"])
def test_bitfit_moves_biases_or_norms_the_statistics_and_the_head(lab: Lab, trained: str) -> None:
    experiment = lab.experiment()
    before = copy_state(experiment.model)
    fitted = fit(experiment, *BitFit(trained).stages(), weight_decay=0.1)
    biases = {key for key in before if key.endswith("bias")}
    norms = {key for key in before if "batch_norms" in key and not key.endswith(("mean", "var", "tracked"))}
    buffers = {name for name, _ in experiment.model.named_buffers()}
    chosen = {"biases": biases, "norms": norms, "both": biases | norms}[trained]
    assert moved(before, fitted.state) == chosen | buffers | HEAD_KEYS
    assert len(chosen) >= 4


def test_bitfit_names_its_parameters_in_the_record(lab: Lab) -> None:
    record = lab.done("method=bitfit")
    assert record.stages[0].parameters == ["*bias", "*norm*", "*.bn*"]
    words = lab.experiment("method=bitfit").words()["model"]
    assert "ft trains 177 of 4,481 parameters" in words
    count = sum(one.numel() for key, one in lab.experiment().model.named_parameters() if key in bitfit_keys(lab))
    assert count == 177


def bitfit_keys(lab: Lab) -> set[str]:
    keys = [key for key, _ in lab.experiment().model.named_parameters()]
    return {key for key in keys if key.endswith("bias") or "norm" in key or key.startswith("head.")}


def test_patterns_without_a_parameter_skip_the_job(lab: Lab) -> None:
    with pytest.raises(SkipJob, match=r"no parameter whose key matches \*gain"):
        fit(lab.experiment(), Stage("ft", parameters=("*gain",)))


def test_patterns_choose_within_blocks(lab: Lab) -> None:
    experiment = lab.experiment()
    before = copy_state(experiment.model)
    fitted = fit(experiment, Stage("ft", blocks=("layer1", HEAD), parameters=("*mlp*",)))
    mlp = {key for key in keys_of(experiment, "layer1") if "mlp" in key}
    assert len(mlp) == 4
    buffers = {name for name, _ in experiment.model.named_buffers() if name in keys_of(experiment, "layer1")}
    assert moved(before, fitted.state) == mlp | buffers | HEAD_KEYS


def test_all_parameters_by_pattern_are_full_fine_tuning_bit_for_bit(lab: Lab) -> None:
    fits = [fit(lab.experiment("model.dropout=0.5"), Stage("ft", parameters=given)) for given in (None, ("*",))]
    assert equal(fits[0].state, fits[1].state)


# Gradual unfreezing.


@pytest.mark.parametrize(("epochs", "joined"), [(2, []), (4, ["layer1"]), (6, ["layer1", "layer0"])])
def test_blocks_join_from_the_last_to_the_first(lab: Lab, epochs: int, joined: list[str]) -> None:
    experiment = lab.experiment()
    before = copy_state(experiment.model)
    chosen = modes(experiment, unfreeze_every=2)
    for epoch in range(1, epochs + 1):
        chosen.epoch = epoch
        chosen.train()
    now = {key for key, one in experiment.model.named_parameters() if one.requires_grad}
    assert now == {key for key, _ in experiment.model.named_parameters() if key in keys_of(experiment, HEAD, *joined)}
    fit(experiment, Stage("ft", unfreeze_every=2), epochs=epochs)
    assert moved(before, copy_state(experiment.model)) <= keys_of(experiment, HEAD, *joined)


def test_gradual_unfreezing_begins_as_linear_probing(lab: Lab) -> None:
    """Until a block joins, through the whole network, the numbers are those of the cached representations."""
    probed = fit(lab.experiment(), Stage("lp", blocks=(HEAD,)), epochs=4)
    gradual = fit(lab.experiment(), *Gradual(unfreeze_every=4).stages(), epochs=6)
    losses = [[row.train_loss for row in one.history] for one in (probed, gradual)]
    assert losses[1][:4] == pytest.approx(losses[0], rel=1e-4)
    assert gradual.history[4].train_loss != pytest.approx(gradual.history[3].train_loss, rel=1e-6)


@pytest.mark.parametrize(("epochs", "blocks"), [(4, [HEAD]), (5, ["layer1", HEAD]), (100, None)])
def test_parameters_of_blocks_that_never_join_are_not_trained(lab: Lab, epochs: int, blocks: list[str] | None) -> None:
    experiment = lab.experiment("method=gradual", "method.unfreeze_every=4", f"train.epochs={epochs}")
    keys = [key for block in blocks or experiment.model.blocks() for key in keys_of(experiment, block)]
    count = sum(one.numel() for key, one in experiment.model.named_parameters() if key in keys)
    assert f"ft trains {count:,} of" in experiment.words()["model"]
    if epochs < 100:
        assert experiment.fit(experiment.method).trained_parameters == count


def test_numbers_of_frozen_layers_are_not_cached_while_blocks_join(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("model=gin", "model.checkpoint=null", "model.num_layers=3", "model.dim=16")
    fits = []
    for most_kept in (2**30, 0):
        monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
        fits.append(fit(lab.experiment(*given), Stage("ft", unfreeze_every=1), epochs=5))
    assert equal(fits[0].state, fits[1].state)


# Learning rates.


def test_learning_rate_falls_from_the_head_to_the_first_block(lab: Lab) -> None:
    optimizer = modes(lab.experiment(), lr_decay=0.5, lrs={"layer0": 3.0}).optimizer(0.8, 0.0)
    assert isinstance(optimizer, AdamGroups)
    assert [group.lr for group in optimizer.groups] == [0.8, 0.4, 3.0, 0.1]


def test_blocks_move_by_their_learning_rates(lab: Lab) -> None:
    """Adam's first step is the learning rate for each element with a gradient."""
    experiment = lab.experiment("train.batch_size=64")
    before = copy_state(experiment.model)
    fitted = fit(experiment, *Gradual(0, lrs={"embed": 1e-3, "head": 1e-4}).stages(), epochs=1, batch_size=64)
    for block, lr in {"embed": 1e-3, "layer0": 0.01, "layer1": 0.01, "head": 1e-4}.items():
        keys = [key for key in keys_of(experiment, block) if key in dict(experiment.model.named_parameters())]
        steps = torch.cat([(fitted.state[key] - before[key]).abs().flatten() for key in keys])
        assert float(steps.max()) == pytest.approx(lr, rel=0.01), block


def test_equal_learning_rates_of_blocks_are_one_adam_bit_for_bit(lab: Lab) -> None:
    fits = [fit(lab.experiment(), Stage("ft", lrs=lrs)) for lrs in (None, {"embed": 0.01})]
    assert equal(fits[0].state, fits[1].state)


def test_unknown_block_skips_the_job(lab: Lab) -> None:
    outcome = lab.run("method=gradual", "method.lrs={layer9: 0.1}")
    assert outcome.status == "skipped"
    assert "no block 'layer9'" in outcome.record.error


def test_groups_have_the_gradients_of_all(lab: Lab) -> None:
    one, two = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups = AdamGroups([Adam([one], 0.1), Adam([two], 0.2)])
    (one.sum() + two.sum()).backward()
    groups.step()
    assert one.tolist() == pytest.approx([0.9, 0.9])
    assert two.tolist() == pytest.approx([0.8, 0.8])
    groups.zero_grad()
    assert [parameter.grad for parameter in groups.parameters] == [None, None]


def test_settings_of_a_stage_are_in_the_record(lab: Lab) -> None:
    (stage,) = lab.done("method=gradual", "method.lr_decay=0.5", "method.lrs={embed: 1e-4}").stages
    assert (stage.unfreeze_every, stage.lr_decay, stage.lrs) == (5, 0.5, {"embed": 1e-4})


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        (BitFit, {"trained": "weights"}), (Gradual, {"unfreeze_every": -1}), (Gradual, {"lr_decay": 0.0}),
        (Gradual, {"lr_decay": 2.0}),
    ],
)  # fmt: skip
def test_impossible_value_is_refused(method: Any, wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        method(**wrong)


def test_impossible_learning_rate_of_a_block_is_refused() -> None:
    with raises_usage(key="lrs.embed"):
        Gradual(lrs={"embed": 0.0})
