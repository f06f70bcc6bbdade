"""One training stage: what moves and what is frozen, which epoch is kept, and where its random numbers come from."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from lab import METHODS, NINE, Lab, clone, equal, moved, numbers
from refusals import raises_usage
from stage_fits import fit, keys_of
from torch import Tensor
from whole import but_whole

from roftbench.config.job import FLOAT32
from roftbench.data.packed import Batch
from roftbench.errors import JobError, SkipJob
from roftbench.methods.adam import Adam
from roftbench.methods.base import Method, Stage, Step
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import HEAD, Nodes, Predictor, copy_state
from roftbench.models.gin import GIN
from roftbench.runner.modes import Modes
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.objective import Objective
from roftbench.runner.passes import FullPass
from roftbench.runner.training import Fit, shuffled_batches, train_step

HEAD_KEYS = {"head.weight", "head.bias"}


@dataclass(frozen=True)
class Live(Method):
    """Full fine-tuning whose penalty is zero: a head alone is then trained through the whole network."""

    def penalty(self, step: Step) -> float:
        return 0.0


@dataclass(frozen=True)
class Constant(Method):
    value: float = 5.0

    def penalty(self, step: Step) -> float:
        return self.value


def score(experiment: NetworkExperiment, objective: Objective, index: Tensor) -> float | None:
    """Score the experiment's model as it is now by the problem's metric."""
    model = experiment.model.eval()
    predictions = objective.to_predictions(objective.outputs(model, index, shared_layers(model.encoder)))
    return objective.scores(predictions, index)[objective.metric.name]


def scores(fitted: Fit) -> list[float | None]:
    return [row.val_score for row in fitted.history]


# What moves.


@pytest.mark.parametrize("blocks", [None, ("embed", HEAD), ("layer0", HEAD), ("layer1", HEAD), ("layer0", "embed")])
def test_trained_blocks_move_and_frozen_ones_stay_bit_for_bit(lab: Lab, blocks: tuple[str, ...] | None) -> None:
    experiment = lab.experiment()
    before = copy_state(experiment.model)
    fitted = fit(experiment, Stage("ft", blocks=blocks), weight_decay=0.1)
    trained = keys_of(experiment, *(blocks or experiment.model.blocks()))
    assert moved(before, fitted.state) == trained
    assert equal(fitted.state, copy_state(experiment.model))
    for key in trained:
        if key.endswith("num_batches_tracked"):
            assert fitted.state[key].item() == 2 * fitted.best_epoch


@pytest.mark.parametrize("method", [Method(), Live()])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_frozen_encoder_stays_bit_for_bit(lab: Lab, method: Method, dropout: float) -> None:
    experiment = lab.experiment(f"model.dropout={dropout}")
    before = copy_state(experiment.model)
    fitted = fit(experiment, Stage("lp", blocks=(HEAD,)), method, weight_decay=0.1)
    assert moved(before, fitted.state) == HEAD_KEYS


def test_frozen_mode_train_moves_the_statistics_but_no_weights(lab: Lab) -> None:
    experiment = lab.experiment()
    before = copy_state(experiment.model)
    fitted = fit(experiment, Stage("lp", blocks=(HEAD,)), frozen_mode="train", weight_decay=0.1)
    buffers = {name for name, _ in experiment.model.named_buffers()}
    assert len(buffers) == 6
    assert moved(before, fitted.state) == HEAD_KEYS | buffers


@pytest.mark.parametrize("frozen_mode", ["eval", "train"])
def test_dropout_of_a_frozen_encoder_is_silent_unless_asked_for(lab: Lab, frozen_mode: str) -> None:
    fits = [
        fit(lab.experiment(f"model.dropout={p}"), Stage("lp", blocks=(HEAD,)), Live(), frozen_mode=frozen_mode)
        for p in (0.0, 0.5)
    ]
    assert equal(fits[0].state, fits[1].state) == (frozen_mode == "eval")


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("standardize", ["false", "true"])
def test_cached_representations_give_the_numbers_of_the_whole_network(lab: Lab, dataset: str, standardize: str) -> None:
    given = (f"dataset={dataset}", "model.dropout=0.5", f"train.standardize_targets={standardize}")
    cached, live = (
        fit(lab.experiment(*given), Stage("lp", blocks=(HEAD,)), method, epochs=6) for method in (Method(), Live())
    )
    assert cached.best_epoch == live.best_epoch
    for key in ("train_loss", "val_score"):
        fast, slow = ([getattr(row, key) for row in one.history] for one in (cached, live))
        assert fast == pytest.approx(slow, rel=1e-4)
    for key in HEAD_KEYS:
        torch.testing.assert_close(cached.state[key], live.state[key], rtol=1e-4, atol=1e-5)
    assert moved(cached.state, live.state) <= HEAD_KEYS


def passes(experiment: NetworkExperiment, layer: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets from now on how many nodes, or colors, a layer of the model is asked for."""
    seen: list[int] = []
    convolution: Any = experiment.model.encoder.gnns[layer]
    begin = convolution.begin

    def counting(h: Tensor, hop: Any, counts: Tensor) -> Tensor:
        seen.append(len(counts))
        states: Tensor = begin(h, hop, counts)
        return states

    monkeypatch.setattr(convolution, "begin", counting)
    return seen


@pytest.mark.parametrize("model", ["gin", "gcn", "graphsage", "gat"])
@pytest.mark.parametrize("block", ["layer1", "layer2"])
def test_layers_that_do_not_move_are_worked_out_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, model: str, block: str
) -> None:
    """The numbers are those of the whole network, which a penalty reads as it is."""
    words = (f"model={model}", "model.checkpoint=null", "model.num_layers=3", "model.dim=16", "model.dropout=0.3")
    fits = []
    for most_kept in (2**30, 0):
        monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
        experiment = lab.experiment(*words)
        seen = passes(experiment, 0, monkeypatch)
        fits.append(fit(experiment, Stage("ft", blocks=(block, HEAD)), epochs=4))
        assert len(seen) == (1 if most_kept else 1 + 4 * 3)  # a batch that is too large; two batches and validation
    views = []
    for most_kept in (2**30, 0):
        monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
        views.append(
            FullPass(Modes(experiment.model, [block, HEAD], "eval"), experiment.objective, experiment.start, Method())
        )
    torch.testing.assert_close(*[view.val_outputs() for view in views], rtol=1e-5, atol=1e-6)
    # A bias before a batch norm has no gradient but rounding, from which Adam makes steps that only validation sees.
    for key, rel in (("train_loss", 1e-4), ("val_score", 0.02)):
        one, other = ([getattr(row, key) for row in found.history] for found in fits)
        assert one == pytest.approx(other, rel=rel)


class HeavyAtoms(GIN):
    """Pools the states of all atoms but carbon, whose kinds it reads in the batch."""

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        heavy = (batch.x[:, :1] != 5).to(out.dtype)
        return torch.segment_reduce(out * heavy, "sum", offsets=batch.node_ptr, axis=0)


def test_a_readout_that_looks_at_the_atoms_finds_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    encoder = HeavyAtoms(num_layers=3, dim=16)
    for most_kept in (2**30, 0):
        monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
        experiment = lab.experiment()
        experiment.model = Predictor(deepcopy(encoder), 1)
        experiment.model.head.load_state_dict({"weight": torch.zeros(1, 16), "bias": torch.zeros(1)})
        losses.append([row.train_loss for row in fit(experiment, Stage("ft", blocks=("layer2", HEAD))).history])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("stage", "method", "frozen_mode"),
    [
        (Stage("ft", blocks=("layer1", HEAD)), Live(), "eval"),
        (Stage("ft", blocks=("layer1", HEAD)), Method(), "train"),
        (Stage("ft", blocks=("layer0", HEAD)), Method(), "eval"),
        (Stage("ft", blocks=("embed", "layer1", HEAD)), Method(), "eval"),
        (Stage("ft"), Method(), "eval"),
    ],
    ids=["a penalty", "statistics that move", "the first layer", "atom tables", "everything"],
)
def test_nothing_is_kept_of_layers_that_move_or_that_somebody_reads(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, stage: Stage, method: Method, frozen_mode: str
) -> None:
    experiment = lab.experiment()
    seen = passes(experiment, 0, monkeypatch)
    fit(experiment, stage, method, epochs=2, frozen_mode=frozen_mode)
    assert len(seen) == 2 * 3


class Watching(GIN):
    """A GIN with what plug-ins have: modules in no block, and a mode of its own that its forward pass reads."""

    def __init__(self) -> None:
        super().__init__(num_layers=2, dim=16)
        self.outside = torch.nn.Dropout(0.5)
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, batch: Batch) -> Nodes:
        if torch.is_grad_enabled():
            self.modes.append((self.training, self.outside.training))
        return super().forward(batch)


def test_what_is_in_no_block_trains_whenever_the_encoder_does(lab: Lab) -> None:
    experiment = lab.experiment()
    encoder = Watching()
    experiment.model = Predictor(encoder, 1)
    batches = 2 * 3  # two of fifty molecules, three epochs
    fit(experiment, Stage("lp", blocks=(HEAD,)), Live())
    assert encoder.modes == [(False, False)] * batches
    encoder.modes.clear()
    fit(experiment, Stage("ft"))
    assert encoder.modes == [(True, True)] * batches
    encoder.modes.clear()
    fit(experiment, Stage("ft", blocks=("layer1", HEAD)))
    assert encoder.modes == [(True, True)] * batches
    encoder.modes.clear()
    fit(experiment, Stage("lp", blocks=(HEAD,)), frozen_mode="train")
    assert encoder.modes == [(True, True)] * batches


def test_a_block_that_is_not_there_skips_the_job_and_names_those_that_are(lab: Lab) -> None:
    with pytest.raises(SkipJob, match=r"no block 'layer2'.*'layer1'.*embed, head, layer0, layer1"):
        fit(lab.experiment(), Stage("ft", blocks=("layer2", HEAD)))


# Loss, learning rate, epochs.


def test_a_stage_may_set_its_own_epochs_and_learning_rate(lab: Lab) -> None:
    own = fit(lab.experiment(), Stage("ft", epochs=2, lr=0.003), epochs=5, lr=0.5)
    same = fit(lab.experiment(), Stage("ft"), epochs=2, lr=0.003)
    assert len(own.history) == 2
    assert own.history == same.history
    assert equal(own.state, same.state)


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_bf16_rounds_the_steps_but_not_the_weights(lab: Lab, dataset: str) -> None:
    given = (f"dataset={dataset}", "model.dropout=0")
    whole, rounded = (fit(lab.experiment(*given), precision=precision) for precision in ("float32", "bf16"))
    assert all(tensor.dtype == whole.state[key].dtype for key, tensor in rounded.state.items())
    losses = [[epoch.train_loss for epoch in one.history] for one in (whole, rounded)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("method", but_whole(METHODS, {*METHODS} - {*NINE}))
def test_bf16_works_with_every_method_and_gives_the_same_numbers_again(lab: Lab, method: str) -> None:
    given = (f"method={method}", "train.precision=bf16")
    assert numbers(lab.done(*given)) == numbers(lab.elsewhere("again").done(*given))


def test_the_penalty_is_part_of_the_training_loss(lab: Lab) -> None:
    """A constant one changes what is reported and nothing else."""
    plain, shifted = (fit(lab.experiment(), method=Constant(value)) for value in (0.0, 5.0))
    for row, other in zip(plain.history, shifted.history, strict=True):
        assert other.train_loss == pytest.approx(row.train_loss + 5.0, rel=1e-5)
        assert other.val_score == row.val_score
    assert equal(plain.state, shifted.state)


def test_weight_decay_shrinks_what_is_trained(lab: Lab) -> None:
    size = [fit(lab.experiment(), epochs=10, weight_decay=decay).state["head.weight"].norm() for decay in (0.0, 5.0)]
    assert size[1] < 0.8 * size[0]


def test_twenty_molecules_can_be_learned_by_heart(lab: Lab) -> None:
    experiment = lab.experiment("label_ratio.count=20", "model.dropout=0")
    objective = replace(experiment.objective, val=experiment.objective.train)
    before = score(experiment, objective, objective.train)
    fit(experiment, objective=objective, epochs=200, lr=0.01)
    after = score(experiment, objective, objective.train)
    assert before is not None
    assert before > 1
    assert after is not None
    assert after < 0.3


@pytest.mark.parametrize("stage", [Stage("ft"), Stage("lp", blocks=(HEAD,))])
def test_a_diverging_loss_is_a_job_error_that_names_epoch_and_stage(lab: Lab, stage: Stage) -> None:
    with pytest.raises(JobError, match=rf"diverged.*epoch \d of stage '{stage.name}'.*train\.lr \(1e\+30\)"):
        fit(lab.experiment(), stage, lr=1e30, epochs=10)


# Which epoch is kept.


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("flipped", [False, True])
def test_the_first_best_epoch_by_the_metrics_direction_is_kept(lab: Lab, dataset: str, flipped: bool) -> None:
    experiment = lab.experiment(f"dataset={dataset}")
    metric = experiment.objective.metric
    higher = metric.higher_is_better != flipped
    objective = replace(experiment.objective, metric=replace(metric, higher_is_better=higher))
    fitted = fit(experiment, objective=objective, epochs=8, lr=0.03)
    seen = scores(fitted)
    assert len(set(seen)) > 4
    best = max(seen) if higher else min(seen)  # type: ignore[type-var]
    assert fitted.best_score == best
    assert fitted.best_epoch == seen.index(best) + 1
    assert [row.epoch for row in fitted.history] == list(range(1, 9))
    assert score(experiment, objective, objective.val) == best  # its weights are in the model, too


def test_of_equal_epochs_the_first_is_kept(lab: Lab) -> None:
    fitted = fit(lab.experiment(), Stage("lp", blocks=(HEAD,)), lr=1e-30, epochs=4)
    assert len(set(scores(fitted))) == 1
    assert fitted.best_epoch == 1


def test_without_a_validation_score_the_last_epoch_is_kept(lab: Lab) -> None:
    experiment = lab.experiment()
    objective = replace(experiment.objective, val=experiment.objective.val[:0])
    fitted = fit(experiment, objective=objective, epochs=4)
    assert scores(fitted) == [None] * 4
    assert fitted.best_epoch == 4
    assert fitted.best_score is None
    assert fitted.state["encoder.batch_norms.0.num_batches_tracked"].item() == 4 * 2


def test_the_kept_weights_are_those_of_the_best_epoch_and_a_copy(lab: Lab) -> None:
    """Training on after the best epoch, in the stage and after it, does not reach them."""
    experiment = lab.experiment()
    objective = replace(experiment.objective, metric=replace(experiment.objective.metric, higher_is_better=True))
    fitted = fit(experiment, objective=objective, epochs=8, lr=0.03)
    assert fitted.best_epoch < 8
    kept = clone(fitted.state)
    short = fit(lab.experiment(), objective=objective, epochs=fitted.best_epoch, lr=0.03)
    assert equal(short.state, kept)
    fit(experiment, lr=0.1)
    assert moved(kept, copy_state(experiment.model)) == kept.keys()
    assert equal(fitted.state, kept)


def test_the_second_stage_starts_from_the_best_weights_of_the_first(lab: Lab) -> None:
    experiment = lab.experiment()
    objective = replace(experiment.objective, metric=replace(experiment.objective.metric, higher_is_better=True))
    first = fit(experiment, Stage("lp", blocks=(HEAD,)), objective=objective, epochs=6)
    assert first.best_epoch < 6
    second = fit(experiment, Stage("ft", blocks=(HEAD,), lr=1e-30), objective=objective, number=1)
    assert scores(second) == [first.best_score] * 3
    assert equal(first.state, second.state)


# Random numbers.


def test_a_stage_depends_on_its_seed_and_number_alone(lab: Lab) -> None:
    experiment = lab.experiment()
    first = fit(experiment)
    torch.manual_seed(12345)
    np.random.seed(5)
    experiment.model.load_state_dict(experiment.start.state)
    again = fit(experiment)
    assert equal(first.state, again.state)
    assert first.history == again.history
    for other in (fit(lab.experiment(), seed=1), fit(lab.experiment(), number=1)):
        assert first.history != other.history


def test_the_global_generator_is_given_back_as_it_was(lab: Lab) -> None:
    experiment = lab.experiment()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(experiment)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (2, [2]), (31, [31]), (32, [32]), (33, [33]), (34, [32, 2]), (64, [32, 32]), (65, [32, 33])],
)
def test_batches_are_a_permutation_and_none_but_a_lone_graph_is_single(count: int, sizes: list[int]) -> None:
    index = torch.arange(100, 100 + count)
    batches = shuffled_batches(index, 32)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(torch.cat(batches).tolist()) == index.tolist()


def test_batches_differ_between_epochs() -> None:
    index = torch.arange(64)
    torch.manual_seed(0)
    first, second = (torch.cat(shuffled_batches(index, 32)) for _ in range(2))
    assert not torch.equal(first, second)
    assert not torch.equal(first, index)


# Clipping of gradients by value.


class OneStep:
    """A loss whose gradient is known: 3 · a - 0.02 · b."""

    def __init__(self) -> None:
        self.a, self.b = (torch.full((2,), value, requires_grad=True) for value in (1.0, 2.0))

    def loss(self) -> Tensor:
        return 3 * self.a.sum() - 0.02 * self.b.sum()


@pytest.mark.parametrize("clip", [None, 0.5, 10.0])
def test_a_clipped_step_is_that_of_pytorch(clip: float | None) -> None:
    ours, reference = OneStep(), OneStep()
    train_step(ours.loss, Adam([ours.a, ours.b], 0.1, weight_decay=0.3), FLOAT32, torch.device("cpu"), clip)
    optimizer = torch.optim.Adam([reference.a, reference.b], 0.1, weight_decay=0.3)
    reference.loss().backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        torch.nn.utils.clip_grad_value_([reference.a, reference.b], clip)
        assert ours.a.grad is not None
        assert ours.a.grad.tolist() == [min(3.0, clip)] * 2
    optimizer.step()
    assert equal({"a": ours.a, "b": ours.b}, {"a": reference.a, "b": reference.b})


@pytest.mark.parametrize("stage", [Stage("ft"), Stage("lp", blocks=(HEAD,))])
def test_clipping_changes_training_only_where_it_takes_hold(lab: Lab, stage: Stage) -> None:
    plain, never, often = (fit(lab.experiment(), stage, clip_value=value) for value in (None, 1e6, 1e-7))
    assert never.history == plain.history
    assert equal(never.state, plain.state)
    assert often.history != plain.history


def test_clipping_is_a_setting_of_a_job(lab: Lab) -> None:
    words = ("method=l2_sp", "train.clip_value=1e-7")
    plain, clipped = lab.done("method=l2_sp"), lab.done(*words)
    assert "clip_value" not in plain.job["train"]
    assert clipped.job["train"]["clip_value"] == 1e-7
    assert clipped.scores != plain.scores
    with raises_usage(key="train.clip_value", got=0):
        lab.job("train.clip_value=0")
