"""The textbook reference computes what roftbench computes: only then is a ratio of times one of speed."""

import warnings

import pytest
import torch
from lab import Lab
from torch import Tensor, nn

with warnings.catch_warnings(action="ignore"):  # torch_geometric scripts a class with what torch deprecates
    from torch_geometric.data import Batch

    from scripts.speed.reference import ReferenceModel, evaluate, loaders, molecules, task_loss
    from scripts.speed.reference_jobs import ReferenceJob

from roftbench.config.components import build
from roftbench.models.acceleration import shared_layers
from roftbench.runner.modes import Modes
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.passes import FullPass

GIVEN = ("model=gin_masking", "model.dropout=0")


def pair(lab: Lab, *overrides: str) -> tuple[NetworkExperiment, ReferenceModel]:
    experiment = lab.experiment(*GIVEN, *overrides)
    reference = ReferenceModel(experiment.objective.num_tasks)
    reference.load_state_dict(experiment.start.state)
    reference.encoder.dropout = 0.0
    return experiment, reference


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}


def close(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    largest = max(float(gradient.abs().max()) for gradient in theirs.values())
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-5 * largest, msg=name)


@pytest.mark.parametrize("dataset", ["freesolv", "bbbp"])
@pytest.mark.parametrize("method", ["full_ft", "l2_sp", "feature_map", "bss"])
def test_loss_and_gradients_of_a_batch_are_the_same(lab: Lab, dataset: str, method: str) -> None:
    experiment, reference = pair(lab, f"dataset={dataset}", f"method={method}")
    with torch.no_grad():  # away from the start, where penalties are zero
        for name, parameter in experiment.model.named_parameters():
            parameter.add_(0.01 * torch.sin(torch.arange(parameter.numel()).float()).view_as(parameter))
            reference.get_parameter(name).copy_(parameter)
    start = ReferenceModel(experiment.objective.num_tasks)
    start.load_state_dict(experiment.start.state)
    index = experiment.objective.train[:32]
    batch = Batch.from_data_list(molecules(experiment.objective, index))
    view = FullPass(
        Modes(experiment.model, list(experiment.model.blocks()), "eval"),
        experiment.objective,
        experiment.start,
        experiment.method,
    )
    view.train()
    ours = next(view.losses([index]))()
    job = ReferenceJob(start, [], experiment.objective.task, experiment.method)
    theirs = task_loss(experiment.objective.task, reference.train()(batch), batch.y)
    if method != "full_ft":
        theirs = theirs + job._penalty(method, reference, start.eval().requires_grad_(False))(batch)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)
    ours.backward()
    theirs.backward()
    close(gradients(experiment.model), gradients(reference))


@pytest.mark.parametrize("dataset", ["freesolv", "bbbp"])
def test_scores_of_all_parts_are_the_same(lab: Lab, dataset: str) -> None:
    experiment, reference = pair(lab, f"dataset={dataset}")
    problem, name = experiment.objective, experiment.objective.metric.name
    model = experiment.model.eval()
    for index, loader in zip((problem.train, problem.val, problem.test), loaders(problem, 32), strict=True):
        score = problem.scores(
            problem.to_predictions(problem.outputs(model, index, shared_layers(model.encoder))), index, [name]
        )[name]
        assert score == pytest.approx(evaluate(reference, loader, problem.task), rel=1e-4)


@pytest.mark.parametrize("method", ["lp", "surgical_ft"])
def test_a_reference_job_moves_what_its_method_trains(lab: Lab, method: str) -> None:
    experiment, reference = pair(lab, "dataset=freesolv", f"method={method}")
    job = ReferenceJob(
        reference, loaders(experiment.objective, 32), experiment.objective.task, build(experiment.job.method)
    )
    before = {name: p.detach().clone() for name, p in reference.named_parameters()}
    job._tuning(reference, method, None)()
    moved = {name for name, p in reference.named_parameters() if not torch.equal(p, before[name])}
    assert {"head.weight", "head.bias"} <= moved
    assert all(name.startswith(("head.", "encoder.gnns.0.")) for name in moved)
    assert any(name.startswith("encoder.gnns.0.") for name in moved) == (method == "surgical_ft")
