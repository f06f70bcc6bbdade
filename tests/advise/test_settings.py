"""What `advise.…` may say."""

import pytest
from refusals import raises_usage

from roftbench.advise.settings import AdviseSettings, separated
from roftbench.report.format import METHODS


def test_nothing_said_is_the_nine_methods_on_the_bundled_models_and_the_baselines() -> None:
    settings, others = separated(["dataset=esol", "seed=3"])
    assert others == ["dataset=esol", "seed=3"]
    pairs = settings.pairs()
    assert len(pairs) == len(set(pairs)) == 2 * len(METHODS) + 2
    assert pairs[-2:] == [("ecfp", "random_forest"), ("scratch", "full_ft")]


def test_lists_numbers_and_a_baseline_that_is_asked_for_anyway() -> None:
    settings, others = separated(["advise.models=scratch,minimol", "advise.methods=[full_ft, lp]", "advise.folds=4"])
    assert (settings.models, settings.methods, settings.folds) == (["scratch", "minimol"], ["full_ft", "lp"], 4)
    assert settings.pairs().count(("scratch", "full_ft")) == 1
    assert len(settings.pairs()) == 5
    assert others == []


@pytest.mark.parametrize(
    ("budget", "limit"),
    [("90s", (90.0, None)), ("1.5h", (5400.0, None)), ("30m", (1800.0, None)), ("40 jobs", (None, 40))],
)
def test_a_budget_is_a_time_or_a_number_of_jobs(budget: str, limit: tuple[float | None, int | None]) -> None:
    assert AdviseSettings(budget=budget).limit() == limit


@pytest.mark.parametrize(
    ("override", "key", "got"),
    [
        ("advise.budget=30", "advise.budget", "30"),
        ("advise.budget=0s", "advise.budget", "0s"),
        ("advise.budget=1.5jobs", "advise.budget", "1.5jobs"),
        ("advise.budgt=3m", "advise.budgt", "budgt"),
        ("advise.folds=2", "advise.folds", 2),
        ("advise.folds=many", "advise.folds", "many"),
        ("advise.by=size", "advise.by", "size"),
        ("advise.members=0", "advise.members", 0),
        ("advise.models=", "advise.models", []),
        ("model=minimol", "model", "model=minimol"),
        ("method.alpha=0.3", "method", "method.alpha=0.3"),
        ("run.keep=all", "run.keep", "run.keep=all"),
    ],
)
def test_invalid_setting_is_refused(override: str, key: str, got: object) -> None:
    with raises_usage(key=key, got=got):
        separated([override])
