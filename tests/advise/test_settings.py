"""What `advise.…` may say."""

import pytest

from roftbench.advise.settings import AdviseSettings, separated
from roftbench.errors import UsageError
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
    ("override", "part"),
    [
        ("advise.budget=30", "such as 90s, 30m or 2h"),
        ("advise.budget=0s", "got|budget must be"),
        ("advise.budgt=3m", "Did you mean 'budget'"),
        ("advise.folds=2", "advise.folds must be ≥ 3, got 2"),
        ("advise.folds=many", "advise.folds"),
        ("advise.by=size", "advise.by is 'size'. Allowed: random, scaffold|by is 'size'"),
        ("advise.members=0", "members must be ≥ 1"),
        ("advise.models=", "models is empty"),
        ("model=minimol", "name those to try with advise.models=A,B"),
        ("method.alpha=0.3", "name those to try with advise.methods=A,B"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(override: str, part: str) -> None:
    with pytest.raises(UsageError, match=part.replace(".", r"\.").replace("Allowed:", "[^|]*Allowed:")):
        separated([override])
