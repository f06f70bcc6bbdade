"""The three penalties: their values against public programs' numbers, and what they do to training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lab import Lab, clone, equal, moved, primary
from refusals import raises_usage

from roftbench.config.job import TrainSettings
from roftbench.console import JobProgress
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.methods.base import Method, Stage, Step, head_shrinkage
from roftbench.methods.bss import BSS
from roftbench.methods.feature_map import FeatureMap
from roftbench.methods.full_ft import FullFT
from roftbench.methods.l2_sp import L2SP
from roftbench.models.encoder import Predictor, State, copy_state
from roftbench.models.gin import GIN
from roftbench.runner.training import fit_stage

GOLDEN = {
    "l2_sp": (L2SP(weight=1.0), "SP_encoder_only(derived)"),
    "feature_map": (FeatureMap(weight=1.0), "BehavioralRegularization_source_b_eval_target_eval"),
    "bss_k1": (BSS(weight=1.0, k=1), "BSS_k1_pooled_target_a_eval"),
    "bss_k2": (BSS(weight=1.0, k=2), "BSS_k2_pooled_target_a_eval"),
}
PENALIZED = {"l2_sp": L2SP, "feature_map": FeatureMap, "bss": BSS}


def predictor(shared: Path, name: str) -> Predictor:
    """Return reference network a or b, in evaluation mode."""
    model = Predictor(GIN(), 1)
    state = torch.load(shared / "golden" / f"gin_state_{name}.pt", weights_only=True)
    renamed = ((key.replace("gnn.", "encoder.", 1).replace("graph_pred_linear", "head"), state[key]) for key in state)
    model.load_state_dict(dict(renamed))
    return model.eval()


def step(model: Predictor, start: Predictor, batch: Batch) -> Step:
    """Return the step in which `model`, which started from `start`, sees a batch."""
    nodes = model.encoder(batch)
    z = model.encoder.readout(nodes.out, batch)
    return Step(model, copy_state(start), batch, nodes, z, lambda: start.encoder(batch).features.detach())


@pytest.fixture(scope="module")
def reference(shared: Path, esol32: dict[str, Any]) -> Step:
    """Network a, fine-tuned from b, on ESOL's first 32 molecules."""
    graphs = PackedGraphs.from_graphs(smiles_to_graph(text) for text in esol32["meta"]["smiles"])
    return step(predictor(shared, "a"), predictor(shared, "b"), graphs.batch(torch.arange(32)))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_value(esol32: dict[str, Any], reference: Step, name: str) -> None:
    method, key = GOLDEN[name]
    values = esol32["regularisers"]
    whole, head = method.penalty(reference), head_shrinkage(reference.model)
    assert isinstance(whole, torch.Tensor)
    assert head.item() == pytest.approx(values["L2Regularization_head_a"], rel=1e-4)
    assert whole.item() == pytest.approx(values[key] + values["L2Regularization_head_a"], rel=1e-4)
    assert (whole - head).item() == pytest.approx(values[key], rel=1e-4)  # BSS is small beside the head


@pytest.mark.parametrize("name", PENALIZED)
def test_the_weight_scales_the_whole_penalty(reference: Step, name: str) -> None:
    whole, part, none = (PENALIZED[name](weight=weight).penalty(reference).item() for weight in (1.0, 0.25, 0.0))
    assert part == pytest.approx(0.25 * whole, rel=1e-5)
    assert none == 0.0


def test_feature_map_mean_divides_the_distance_but_not_the_head(esol32: dict[str, Any], reference: Step) -> None:
    values = esol32["regularisers"]
    nodes, dim = values["feature_shape"]
    distance = values["BehavioralRegularization_source_b_eval_target_eval"] / (nodes * dim)
    expected = distance + values["L2Regularization_head_a"]
    assert FeatureMap(weight=1.0, reduction="mean").penalty(reference).item() == pytest.approx(expected, rel=1e-4)


def test_l2_sp_pulls_the_encoder_to_its_start_and_shrinks_the_head(reference: Step) -> None:
    model, start = reference.model, reference.start
    names, parameters = zip(*model.named_parameters(), strict=True)
    penalty = L2SP(weight=0.5).penalty(reference)
    gradients = torch.autograd.grad(penalty, parameters)
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        target = torch.zeros_like(parameter) if name.startswith("head.") else start[name]
        torch.testing.assert_close(gradient, 0.5 * (parameter.detach() - target))
    assert {name.split(".")[0] for name in names} == {"encoder", "head"}


def test_bss_with_more_than_there_are_takes_all_singular_values(reference: Step) -> None:
    value = BSS(weight=1.0, k=1000).penalty(reference) - head_shrinkage(reference.model)
    assert value.item() == pytest.approx(reference.z.square().sum().item(), rel=1e-4)  # the Frobenius norm


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (L2SP, {"weight": -0.1}),
        (FeatureMap, {"weight": -1.0}),
        (FeatureMap, {"reduction": "median"}),
        (BSS, {"weight": -1e-9}),
        (BSS, {"k": 0}),
    ],
)
def test_impossible_hyperparameters_are_refused(cls: type[Method], wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        cls(**wrong)


@pytest.mark.parametrize("name", PENALIZED)
@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_weight_zero_is_full_fine_tuning(lab: Lab, name: str, dataset: str) -> None:
    plain = lab.done("method=full_ft", f"dataset={dataset}")
    record = lab.done(f"method={name}", "method.weight=0", f"dataset={dataset}")
    for ours, full in zip(record.history, plain.history, strict=True):
        assert ours.train_loss == pytest.approx(full.train_loss, rel=1e-6)
        assert ours.val_score == pytest.approx(full.val_score, rel=1e-6)
    assert primary(record, "test") == pytest.approx(primary(plain, "test"), rel=1e-6)


def tuned(lab: Lab, method: Method) -> tuple[State, Predictor, Batch]:
    """Return the start, the network after twenty epochs with a method, and the batch that it was tuned on."""
    experiment = lab.experiment("model.dropout=0")
    objective = replace(
        experiment.objective, val=experiment.objective.val[:0]
    )  # nothing to select by: the last epoch stays
    settings = TrainSettings(epochs=20, lr=0.01, loss="rmse")
    fit_stage(experiment.model, experiment.start, method, Stage("ft"), 0, objective, settings, 0, JobProgress("rmse"))
    return experiment.start.state, experiment.model.eval(), objective.graphs.batch(objective.train)


def weight_distance(lab: Lab, method: Method) -> float:
    start, model, _ = tuned(lab, method)
    return sum((now - start[key]).square().sum().item() for key, now in model.encoder.named_parameters("encoder"))


def feature_distance(lab: Lab, method: Method) -> float:
    start, model, batch = tuned(lab, method)
    before = Predictor(GIN(2, 16), 1).eval()
    before.load_state_dict(start)
    with torch.no_grad():
        return float((model.encoder(batch).features - before.encoder(batch).features).square().mean())


def tail(lab: Lab, method: Method) -> float:
    _, model, batch = tuned(lab, method)
    with torch.no_grad():
        return float(torch.linalg.svdvals(model.represent(batch))[-4:].square().sum())


def head_size(lab: Lab, method: Method) -> float:
    return head_shrinkage(tuned(lab, method)[1]).item()


@pytest.mark.parametrize(
    ("measure", "method"),
    [
        (weight_distance, L2SP(weight=1.0)),
        (feature_distance, FeatureMap(weight=1.0)),
        (tail, BSS(weight=10.0, k=4)),
        (head_size, L2SP(weight=10.0)),
        (head_size, FeatureMap(weight=10.0, reduction="mean")),
        (head_size, BSS(weight=10.0)),
    ],
)
def test_a_penalty_lowers_what_it_penalizes(lab: Lab, measure: Callable[[Lab, Method], float], method: Method) -> None:
    assert measure(lab, method) < 0.5 * measure(lab, FullFT())


@dataclass(frozen=True)
class Watched(FeatureMap):
    """Feature map that keeps what it was shown."""

    seen: ClassVar[list[tuple[Step, torch.Tensor]]] = []

    def penalty(self, step: Step) -> torch.Tensor:
        self.seen.append((step, step.pretrained_features()))
        return super().penalty(step)


def test_the_pretrained_network_is_a_frozen_copy_in_evaluation_mode(lab: Lab) -> None:
    experiment = lab.experiment("model.dropout=0.5")
    before = clone(experiment.start.encoder.state_dict())
    Watched.seen.clear()
    settings = TrainSettings(epochs=2, loss="rmse")
    method = Watched(weight=0.01)
    fit_stage(
        experiment.model,
        experiment.start,
        method,
        Stage("ft"),
        0,
        experiment.objective,
        settings,
        0,
        JobProgress("rmse"),
    )
    assert len(Watched.seen) == 4  # two batches of fifty molecules, twice
    for step, features in Watched.seen:
        assert not features.requires_grad
        assert step.nodes.features.requires_grad
        torch.testing.assert_close(features, experiment.start.encoder(step.batch).features, rtol=1e-5, atol=1e-6)
    assert equal(before, experiment.start.encoder.state_dict())
    assert (
        moved({f"encoder.{key}": value for key, value in before.items()}, encoder_of(experiment.start.state)) == set()
    )
    assert moved(encoder_of(experiment.start.state), encoder_of(copy_state(experiment.model))) >= {
        "encoder.x_embedding1.weight"
    }


def encoder_of(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("head.")}
