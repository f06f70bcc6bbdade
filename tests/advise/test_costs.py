"""What jobs of a race still have to fit: fits that they share count once, and what is done costs nothing."""

import pytest
from lab import Lab, merged

from roftbench.advise.budget import Budget
from roftbench.advise.costs import Costs, Timed
from roftbench.advise.jobs import Jobs
from roftbench.sweep.estimate import Sizes

SIZES = Sizes(500, 120, 13.0)


def costs(lab: Lab, budget: Budget) -> Costs:
    words = [text for text in merged(()) if not text.startswith("model=")]
    jobs = Jobs([*words, f"paths.results={lab.results}", f"paths.cache={lab.cache}"], None, search=False)
    return Costs(jobs, budget)


def timed(found: Costs, method: str, model: str = "tiny_gin") -> Timed:
    job, env, _ = found.jobs.of(model, method)
    return Timed(job, env, SIZES)


def test_methods_that_share_the_full_fine_tuning_need_it_once(lab: Lab) -> None:
    found = costs(lab, Budget(100, None))
    full, wise, roft = (found.needs(timed(found, method)) for method in ("full_ft", "wise_ft", "roftmol"))
    fit = set(full) & set(wise)
    assert len(fit) == 1
    assert fit < set(roft)
    assert len(set(roft) - fit) == 2  # its start, and the coefficients
    assert sum(roft.values()) > sum(full.values()) > 0
    one = timed(found, "full_ft")
    record, _ = found.jobs.result(one.job, one.env)
    assert record is not None
    assert found.took(one, record) == record.seconds["total"]
    assert found.needs(one) == {}
    assert set(found.needs(timed(found, "wise_ft"))) == set(wise) - fit


def test_a_number_of_jobs_counts_each_as_one_and_measures_nothing(lab: Lab) -> None:
    found = costs(lab, Budget(None, 9))
    assert list(found.needs(timed(found, "roftmol")).values()) == [1.0]
    assert not lab.results.joinpath("stages").exists()


def test_a_recorded_clock_is_charged_each_fit_once_whoever_ran_it(lab: Lab) -> None:
    """A race is repeated from a store: it costs what it did, though nothing runs."""
    first = costs(lab, Budget(100, None))
    spent = {}
    for method in ("full_ft", "wise_ft"):
        one = timed(first, method)
        spent[method], _ = first.jobs.result(one.job, one.env)
    again = costs(lab, Budget(100, None, recorded=True))
    wise, full = timed(again, "wise_ft"), timed(again, "full_ft")
    assert spent["wise_ft"] is not None
    assert spent["full_ft"] is not None
    fit = spent["full_ft"].seconds["ft"]
    assert len(again.needs(wise)) == 2  # it is in the store, but nobody has paid for it
    assert again.took(wise, spent["wise_ft"]) == pytest.approx(spent["wise_ft"].seconds["total"] + fit)
    assert again.needs(wise) == {}
    assert again.took(full, spent["full_ft"]) == pytest.approx(spent["full_ft"].seconds["total"] - fit)


def test_a_forest_is_guessed_to_take_as_long_as_it_did_and_a_broken_model_nothing(lab: Lab) -> None:
    found = costs(lab, Budget(100, None))
    forest = timed(found, "random_forest", "ecfp")
    assert list(found.needs(forest).values()) == [0.0]
    record, _ = found.jobs.result(forest.job, forest.env)
    assert record is not None
    found.took(forest, record)
    other = Timed(found.jobs.of("ecfp", "random_forest")[0], forest.env, SIZES)
    assert found.needs(other) == {}
    broken = timed(found, "full_ft", "gat_contextpred")  # its checkpoint is nowhere on this machine
    assert list(found.needs(broken)) == [broken.job.key]
