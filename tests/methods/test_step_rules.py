"""Methods that act around the optimizer's steps, against their definitions written out, and by what they must equal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from lab import Lab, equal, numbers
from refusals import raises_usage
from torch import Tensor, nn

from roftbench.config.job import FLOAT32
from roftbench.methods.adam import Adam
from roftbench.methods.base import Method
from roftbench.methods.ema import EMA
from roftbench.methods.ftp import FTP
from roftbench.methods.full_ft import FullFT
from roftbench.methods.mixout import Mixout
from roftbench.methods.spd import SPD
from roftbench.methods.step_rule import StepRule, Training
from roftbench.methods.swa import SWA
from roftbench.models.dropout import dropout
from roftbench.models.encoder import State, copy_state
from roftbench.runner.training import train_step
from roftbench.store.tensors import read_tensors

SETTING = ("train.epochs=4", "train.lr=0.01")
LR = 0.05


class Toy(nn.Module):
    """A predictor with an encoder of a matrix, a vector and a number, and a head."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.encoder = nn.Module()
        self.encoder.matrix = nn.Parameter(torch.randn(3, 4, generator=generator))
        self.encoder.vector = nn.Parameter(torch.randn(4, generator=generator))
        self.encoder.number = nn.Parameter(torch.randn((), generator=generator))
        self.head = nn.Linear(4, 1)
        nn.init.ones_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.x, self.y = torch.randn(16, 3, generator=generator), torch.randn(16, 1, generator=generator)

    def loss(self) -> Tensor:
        h = torch.tanh(self.x @ self.encoder.matrix + self.encoder.vector) * self.encoder.number
        return (self.head(h) - self.y).square().mean() * self.scale

    scale = 1.0


ENCODER = ("encoder.matrix", "encoder.vector", "encoder.number")


def trained(method: Method, steps: int, scales: Callable[[int], float] = lambda step: 1.0) -> list[State]:
    """Return the weights of the toy after each step with the method's rule; the loss of step i is scaled."""
    toy = Toy()
    start = copy_state(toy)
    model: Any = toy
    rule = method.step_rule(Training(model, start, start.keys(), epochs=1))
    optimizer = Adam(toy.parameters(), LR)
    states = []
    for step in range(steps):
        toy.scale = scales(step)
        train_step(toy.loss, optimizer, FLOAT32, torch.device("cpu"), rule=rule)
        states.append(copy_state(toy))
    return states


def turning(step: int) -> float:
    """Return the sign of the loss: downhill for ten steps, then back, so that gradients point to the start."""
    return 1.0 if step < 10 else -1.0


def by_hand(steps: int, correct: Callable[[int, str, Tensor, Tensor, Tensor, Tensor], Tensor]) -> list[State]:
    """Return the weights after each step of torch's own Adam, each encoder tensor replaced by `correct`.

    It gets the number of the step, the key, the gradient, and the tensor at the start, before and after the step.
    """
    toy = Toy()
    start = copy_state(toy)
    optimizer = torch.optim.Adam(toy.parameters(), LR)
    states = []
    for step in range(steps):
        toy.scale = turning(step)
        before = copy_state(toy)
        optimizer.zero_grad()
        toy.loss().backward()
        optimizer.step()
        for key, one in toy.named_parameters():
            if key in ENCODER:
                assert one.grad is not None
                one.data = correct(step, key, one.grad, start[key], before[key], one.detach().clone())
        states.append(copy_state(toy))
    return states


def assert_same(found: list[State], expected: list[State]) -> None:
    for one, other in zip(found, expected, strict=True):
        for key in other:
            torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-6, msg=key)


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_spd_shortens_steps_as_defined(weight: float) -> None:
    shortened = []

    def spd(step: int, key: str, grad: Tensor, start: Tensor, before: Tensor, after: Tensor) -> Tensor:
        if (grad * (before - start)).sum() <= 0:
            return after
        far = (after - start).norm()
        ratio = float(((far - (before - start).norm()) / far).clamp(0, 1))
        shortened.append(ratio > 0)
        return after - weight * ratio * (after - start)

    assert_same(trained(SPD(weight), 25, turning), by_hand(25, spd))
    assert sum(shortened) > 5


@pytest.mark.parametrize("k", [1.0, 0.2])
def test_ftp_projects_rows_onto_balls_of_learned_radius(k: float) -> None:
    """Adam on the radius with its step counter ahead by one, as in the authors' code."""
    memory: dict[str, list[Any]] = {}
    projected = []

    def ftp(step: int, key: str, grad: Tensor, start: Tensor, before: Tensor, after: Tensor) -> Tensor:
        moved = after - start
        norms = (moved.abs().sum(1, keepdim=True) if moved.dim() == 2 else moved.abs().sum()) + 1e-8
        if step == 0:
            radius, first, second = 1e-8, 0.0, 0.0
        else:
            radius, first, second, unit = memory[key]
            slope = float((grad * unit).sum())
            slope *= k if slope > 0 else 1
            first, second, t = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2, step + 1
            radius -= 0.01 * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)) ** 0.5 + 1e-8)
            radius = min(max(radius, 1e-8), float(norms.max()))
        memory[key] = [radius, first, second, moved / norms]
        projected.append(radius < float(norms.max()))
        return start + (radius / norms).clamp(0, 1) * moved

    assert_same(trained(FTP(k), 25, turning), by_hand(25, ftp))
    assert sum(projected) > 10


@pytest.mark.parametrize("method", [SPD(0.0), Mixout(0.0), EMA(0.0), EMA(0.9), SWA()])
def test_rule_without_effect_on_training_is_adam_bit_for_bit(method: Method) -> None:
    for one, other in zip(trained(method, 20, turning), trained(FullFT(), 20, turning), strict=True):
        assert equal(one, other)


def test_first_step_of_ftp_stays_at_the_start() -> None:
    (state,) = trained(FTP(), 1)
    for key in ENCODER:
        torch.testing.assert_close(state[key], copy_state(Toy())[key], rtol=0, atol=1e-6)


def test_mixout_has_the_gradient_of_the_mixed_weights() -> None:
    """The same masks, and autograd through start + mask · (w − start)."""
    toy, reference = Toy(), Toy()
    start = {key: tensor + 0.3 for key, tensor in copy_state(toy).items()}
    model: Any = toy
    rule = Mixout(0.4).step_rule(Training(model, start, start.keys(), epochs=1))
    before = copy_state(toy)
    torch.manual_seed(3)
    rule.before_forward()
    mixed = copy_state(toy)
    loss = toy.loss()
    loss.backward()
    rule.before_update()
    torch.manual_seed(3)
    matrix: Any = reference.encoder.matrix
    mask = dropout(torch.ones_like(matrix), 0.4, training=True)
    assert {round(value, 3) for value in mask.flatten().tolist()} == {0.0, 1.667}
    weight = start["encoder.matrix"] + mask * (matrix - start["encoder.matrix"])
    h = torch.tanh(reference.x @ weight + reference.encoder.vector) * reference.encoder.number
    expected = (reference.head(h) - reference.y).square().mean()
    expected.backward()
    torch.testing.assert_close(mixed["encoder.matrix"], weight.detach())
    torch.testing.assert_close(loss, expected)
    for key, one in toy.named_parameters():
        torch.testing.assert_close(one.grad, dict(reference.named_parameters())[key].grad, msg=key)
    assert equal(copy_state(toy), before)


def test_ema_is_the_recursion_over_all_steps() -> None:
    toy = Toy()
    start = copy_state(toy)
    model: Any = toy
    rule = EMA(0.9).step_rule(Training(model, start, start.keys(), epochs=1))
    optimizer = Adam(toy.parameters(), LR)
    expected = start
    for _ in range(12):
        train_step(toy.loss, optimizer, FLOAT32, torch.device("cpu"), rule=rule)
        expected = {key: 0.9 * old + 0.1 * toy.state_dict()[key] for key, old in expected.items()}
    assert_same([rule.averaged() or {}], [expected])


# In jobs.


@dataclass(frozen=True)
class Watched(Method):
    """Full fine-tuning that keeps the tensors at the end of each epoch."""

    ends: Any = None

    def step_rule(self, training: Training) -> StepRule:
        rule = StepRule()
        rule.end_epoch = lambda epoch: self.ends.append(copy_state(training.model))  # type: ignore[method-assign]
        return rule


def ends_of_epochs(lab: Lab) -> list[State]:
    experiment = lab.experiment("method=full_ft", *SETTING, "train.epochs=8")
    experiment.method = Watched([])
    experiment.work()
    assert len(experiment.method.ends) == 8
    return list(experiment.method.ends)


def test_swa_keeps_the_mean_of_the_last_epochs(lab: Lab) -> None:
    ends = ends_of_epochs(lab)
    experiment = lab.experiment("method=swa", "method.start=0.5", *SETTING, "train.epochs=8")
    record = experiment.work()
    assert record.best_epoch is not None
    assert record.best_epoch >= 5
    assert record.scores.val["rmse"] == min(row.val_score for row in record.history[4:] if row.val_score is not None)
    for key, tensor in experiment.chosen.state.items():
        chosen = [state[key] for state in ends[4 : record.best_epoch]]
        expected = torch.stack(chosen).mean(0) if tensor.is_floating_point() else chosen[-1]
        torch.testing.assert_close(tensor, expected, rtol=1e-4, atol=1e-5, msg=key)


def test_swa_trains_as_full_fine_tuning_until_the_mean_has_two_epochs(lab: Lab) -> None:
    full, swa = lab.done("method=full_ft", *SETTING), lab.done("method=swa", *SETTING, "method.start=0.5")
    assert [row.train_loss for row in full.history] == [row.train_loss for row in swa.history]
    same = [a.val_score == b.val_score for a, b in zip(full.history, swa.history, strict=True)]
    assert same == [True, True, True, False]


@pytest.mark.parametrize("given", ["ema method.decay=0", "spd method.weight=0", "mixout method.p=0"])
def test_job_without_effect_has_the_numbers_of_full_fine_tuning(lab: Lab, given: str) -> None:
    name, option = given.split()
    full, other = lab.done("method=full_ft", *SETTING), lab.done(f"method={name}", option, *SETTING)
    assert (other.scores, other.history, other.test_predictions) == (full.scores, full.history, full.test_predictions)
    assert len(lab.stages()) == 2


@pytest.mark.parametrize("name", ["spd", "ftp", "ema", "swa", "mixout"])
def test_stored_stage_gives_the_numbers_of_the_fit(lab: Lab, name: str) -> None:
    first = lab.done(f"method={name}", *SETTING)
    (stage,) = lab.stages()
    stored = read_tensors(stage)[0]
    lab.store.record_path(first.key).unlink()
    again = lab.done(f"method={name}", *SETTING)
    assert "ft (reused)" in again.seconds
    assert numbers(again) == numbers(first)
    other = lab.elsewhere("other")
    assert numbers(other.done(f"method={name}", *SETTING)) == numbers(first)
    (fitted,) = other.stages()
    assert equal(read_tensors(fitted)[0], stored)


@pytest.mark.parametrize("name", ["spd", "ftp", "ema", "mixout"])
def test_rule_changes_the_fit(lab: Lab, name: str) -> None:
    assert lab.done(f"method={name}", *SETTING).history != lab.done("method=full_ft", *SETTING).history


@pytest.mark.parametrize(
    ("method", "wrong"),
    [(SPD, {"weight": -1.0}), (FTP, {"k": 2.0}), (EMA, {"decay": 1.5}), (SWA, {"start": -0.1}), (Mixout, {"p": 1.0})],
)
def test_impossible_value_is_refused(method: Any, wrong: dict[str, float]) -> None:
    with raises_usage(key=next(iter(wrong))):
        method(**wrong)
