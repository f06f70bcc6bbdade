"""What `advise.…` may say."""

import pytest
from refusals import raises_usage

from roftbench.advise.settings import AdviseSettings, separated


def test_default_candidates_are_estimators_on_features_and_methods_on_encoders() -> None:
    settings, others = separated(["dataset=esol", "seed=3"])
    assert others == ["dataset=esol", "seed=3"]
    pairs = settings.pairs()
    frozen = [(features, method) for features in ("ecfp", "minimol") for method in ("random_forest", "gp", "ridge")]
    tuned = [(model, method) for model in ("minimol", "gin_descriptors") for method in ("lp", "lp_ft", "roftmol")]
    assert pairs == [*frozen, *tuned]


def test_lists_and_numbers_and_the_forest_is_always_there() -> None:
    settings, others = separated(
        ["advise.models=scratch,minimol", "advise.methods=[full_ft, lp]", "advise.folds=4", "advise.features=minimol",
         "advise.estimators=gp", "advise.pool=a=b.csv"]
    )  # fmt: skip
    assert (settings.models, settings.methods, settings.folds) == (["scratch", "minimol"], ["full_ft", "lp"], 4)
    assert settings.pairs()[:2] == [("ecfp", "random_forest"), ("minimol", "gp")]
    assert len(settings.pairs()) == 6
    assert settings.pool == "a=b.csv"
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
        ("advise.estimators=", "advise.estimators", []),
        ("advise.picks=0", "advise.picks", 0),
        ("model=minimol", "model", "model=minimol"),
        ("method.alpha=0.3", "method", "method.alpha=0.3"),
        ("run.keep=all", "run.keep", "run.keep=all"),
    ],
)
def test_invalid_setting_is_refused(override: str, key: str, got: object) -> None:
    with raises_usage(key=key, got=got):
        separated([override])
