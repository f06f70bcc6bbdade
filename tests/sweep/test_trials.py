"""The trials of a search: the same draws after an interruption, and a file that Optuna reads and that is whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from refusals import raises_usage

from roftbench.sweep.search_space import SAMPLERS, SearchSettings
from roftbench.sweep.trials import Trial, Trials

AXES = {"method.weight": FloatDistribution(1e-3, 1, log=True), "method": CategoricalDistribution(["bss", "l2_sp"])}
Open = Callable[..., Trials]


@pytest.fixture
def trials(tmp_path: Path) -> Open:
    def opened(name: str = "a", sampler: str = "tpe", *, higher: bool = False) -> Trials:
        settings = SearchSettings(sampler=sampler)
        return Trials(tmp_path / f"{name}.jsonl", "key", AXES, settings, higher_is_better=higher)

    return opened


def told(trials: Trials, one: Trial) -> None:
    """Tell a score that depends on the values, or a failure."""
    weight = float(one.values["method.weight"])
    trials.tell(replace(one, reason="diverged") if weight < 0.003 else replace(one, score=abs(weight - 0.1)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_interrupted_search_draws_the_values_of_an_undisturbed_one(trials: Open, sampler: str) -> None:
    whole, count = trials("whole", sampler), 13  # more than the ten that TPE and GP draw at random
    for _ in range(count):
        told(whole, *whole.ask(1))
    for number in range(count):
        part = trials("part", sampler)  # a process of its own would open it so
        if number % 3 == 0:
            part.ask(1)
            part = trials("part", sampler)  # killed after it had drawn
        [one] = [one for one in part.all() if not one.ended] or part.ask(1)
        told(part, one)
    assert trials("part", sampler).all() == whole.all()
    assert len({one.values["method.weight"] for one in whole.all()}) == count


def test_trials_that_run_together_differ(trials: Open) -> None:
    found = trials().ask(4)
    assert [one.number for one in found] == [0, 1, 2, 3]
    assert len({one.values["method.weight"] for one in found}) == 4
    assert trials().all() == found
    assert not any(one.ended for one in found)


@pytest.mark.parametrize(("higher", "best"), [(False, 1), (True, 0)])
def test_the_best_has_a_score(trials: Open, *, higher: bool, best: int) -> None:
    found = trials(higher=higher)
    assert found.best() is None
    for one, score in zip(found.ask(4), (3.0, 1.0, None, 1.0), strict=True):
        found.tell(replace(one, score=score, reason=None if score else "diverged"))
    again = trials(higher=higher)
    assert again.best() == found.best() == found.all()[best]
    assert again.all()[2].reason == "diverged"


def test_optuna_itself_reads_the_file(trials: Open, tmp_path: Path) -> None:
    found = trials()
    for _ in range(3):
        told(found, *found.ask(1))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "a.jsonl"))
    study = optuna.load_study(study_name="key", storage=optuna.storages.JournalStorage(backend))
    assert [one.params for one in study.trials] == [one.values for one in found.all()]
    assert [one.value for one in study.trials] == [one.score for one in found.all()]


def test_no_step_leaves_a_part_of_a_trial(trials: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ask and each tell is one write of the whole file: a kill finds the state before or after it."""
    states: list[int] = []
    write = "roftbench.sweep.trials.write_text"
    monkeypatch.setattr(write, lambda path, text: (states.append(text.count("\n")), path.write_text(text)))
    found = trials()
    told(found, *found.ask(1))
    assert len(states) == 2  # the trial with its values, and its score
    assert states == sorted(set(states))


@pytest.mark.parametrize("content", ["{", "null\n", '{"op_code": 4}\n', '{"op_code": 0, "worker_id": "a"}\n', "\x00"])
def test_a_damaged_file_is_one_message(trials: Open, tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with raises_usage("cannot be read as trials of a search", key=str(tmp_path / "a.jsonl")):
        trials()
