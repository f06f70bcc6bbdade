"""The race: who goes on, when it ends, and what is left for the jobs after it."""

from typing import Any

import pytest

from roftbench.advise.race import Budget, Race, Runner, levels
from roftbench.store import Record

LOSS = {"a": 1.0, "b": 1.1, "c": 3.0, "d": 4.0, "base": 2.0, "quick": 1.5}


class Track:
    """Gives each candidate its loss, a little worse on each fold; notes who ran where."""

    def __init__(self, seconds: float = 0.0, fails: str = "") -> None:
        self.ran: list[tuple[str, int]] = []
        self.before: set[tuple[str, int]] = set()
        self.seconds, self.fails = seconds, fails

    def known(self, one: Runner, fold: int) -> bool:
        return (one.model, fold) in self.before

    def expected(self, one: Runner) -> float:
        return 0.0 if one.quick else self.seconds

    def judge(self, one: Runner, fold: int) -> tuple[Record | None, bool]:
        self.ran.append((one.model, fold))
        if one.model == self.fails:
            one.failure = "failed: diverged"
            return None, False
        record: Any = {"scores": {"test": {"rmse": LOSS[one.model] + fold / 100}}, "seconds": {"total": self.seconds}}
        return record, (one.model, fold) in self.before


def race(track: Track, budget: Budget, folds: int = 5) -> Race:
    runners = [Runner(name, "bss", baseline=name == "base") for name in ("d", "c", "b", "a", "base")]
    return Race(runners, track, folds, budget, "rmse", 1, members=2)


def names(runners: list[Runner]) -> list[str]:
    return [one.model for one in runners]


def test_with_time_enough_all_run_all_folds_of_all_partitions() -> None:
    track = Track()
    found = race(track, Budget(1000, None))
    found.run()
    assert sorted(track.ran) == sorted((name, fold) for name in names(found.runners) for fold in range(15))
    assert names(found.ranked()) == ["a", "b", "base", "c", "d"]
    assert found.stopped == ""


def test_counted_jobs_halve_the_field_and_keep_the_baseline() -> None:
    track = Track()
    found = race(track, Budget(None, 16))
    found.run()
    # One fold each; the better half of the four and the baseline on a second one; then one goes on while jobs last.
    assert track.ran[:5] == [("base", 0), ("d", 0), ("c", 0), ("b", 0), ("a", 0)]
    assert track.ran[5:8] == [("base", 1), ("a", 1), ("b", 1)]
    assert set(track.ran[8:]) <= {("base", fold) for fold in range(2, 5)} | {("a", fold) for fold in range(2, 5)}
    assert len(track.ran) == 16 - 2 - 1  # two members of the winner and the baseline come after the race
    assert "the budget ended with" in found.stopped
    assert names(found.ranked())[-2:] == ["c", "d"]


def test_jobs_that_would_outlast_the_time_do_not_begin() -> None:
    track = Track(seconds=10)
    budget = Budget(100, None)
    found = race(track, budget)
    found.run()
    # The clock stands still here, so each job leaves 100 s: 10 jobs of 10 s more would not fit, one does.
    assert found.budget.allows(99)
    assert not found.budget.allows(101)
    assert found.stopped == ""
    slow = Track(seconds=60)
    found = race(slow, Budget(100, None))
    found.run()
    assert slow.ran == [("base", 0)]  # then 60 s for the winner's members are not there
    assert "the budget ended with" in found.stopped
    slower = Track(seconds=90)  # as an epoch tells that is measured
    found = race(slower, Budget(100, None))
    found.run()
    assert slower.ran == []
    assert "the budget ended with base · bss at 0 of 1 folds" in found.stopped


def test_what_trains_no_encoder_comes_first_and_what_is_done_costs_nothing() -> None:
    track = Track(seconds=60)
    runners = [Runner("a", "bss"), Runner("base", "full_ft", baseline=True), Runner("quick", "lp")]
    found = Race(runners, track, 5, Budget(1000, None), "rmse", 1, members=2)
    found.run()
    assert track.ran[:3] == [("quick", 0), ("base", 0), ("a", 0)]
    again = Track(seconds=60)
    again.before = {("quick", 0), ("base", 0), ("a", 0)}
    runners = [Runner(one.model, one.method, one.baseline) for one in runners]
    Race(runners, again, 5, Budget(0.001, None), "rmse", 1, members=2).run()
    assert again.ran == [("quick", 0), ("base", 0), ("a", 0)]


def test_a_slow_baseline_takes_nothing_from_what_is_quick() -> None:
    """Its next folds do not fit in, those of linear probing do, of two models."""

    class Slow(Track):
        def judge(self, one: Runner, fold: int) -> tuple[Record | None, bool]:
            self.seconds = 1.0 if one.quick else 50.0
            return super().judge(one, fold)

        def expected(self, one: Runner) -> float:
            return 0.0 if one.quick else 30.0

    runners = [Runner("base", "full_ft", baseline=True), *(Runner(name, "lp") for name in "ab")]
    found = Race(runners, Slow(), 5, Budget(60, None), "rmse", 1, members=2)
    found.run()
    assert [len(one.scores) for one in found.runners] == [1, 15, 15]
    assert "base · full_ft at 1 of 2 folds" in found.stopped


def test_where_time_is_short_few_take_part_and_cheap_ones_are_judged_on_all_folds() -> None:
    runners = [
        Runner("base", "full_ft", baseline=True),
        Runner("quick", "lp"),
        *(Runner(name, "bss") for name in "dcba"),
    ]
    seconds = {"base": 10.0, "quick": 0.1}

    class Uneven(Track):
        def judge(self, one: Runner, fold: int) -> tuple[Record | None, bool]:
            self.seconds = seconds.get(one.model, 10.0)
            return super().judge(one, fold)

        def expected(self, one: Runner) -> float:
            return seconds.get(one.model, 10.0)

    # 10 s a job: 13 each with a margin, on 1 + 1/2 + 3/4 folds 29.25; 130 s less the baseline's four folds (52)
    # and what comes after the race (the best, quick, twice: 0.3) are enough for two.
    found = Race(runners, Uneven(), 5, Budget(130, None), "rmse", 1, members=2)
    found.run()
    judged = {one.model: len(one.scores) for one in found.runners}
    assert (judged["quick"], judged["b"], judged["a"]) == (15, 0, 0)
    assert judged["base"] >= judged["d"] > 0
    assert judged["c"] > 0


def test_who_fails_falls_out_and_costs_nobody_else() -> None:
    track = Track(fails="a")
    found = race(track, Budget(1000, None))
    found.run()
    assert track.ran.count(("a", 0)) == 1
    assert ("a", 1) not in track.ran
    assert names(found.ranked()) == ["b", "base", "c", "d", "a"]


def test_an_undefined_score_is_worse_than_any_other() -> None:
    one = Runner("a", "lp", scores={0: None, 1: 0.5})
    assert one.loss(1, {0, 1}) == float("inf")
    assert one.loss(1, {1}) == 0.5  # where nobody has a score, there is none to be had
    assert one.loss(1, ()) == float("inf")
    assert Runner("b", "lp", scores={0: 0.5, 1: 0.7}).loss(-1, {0, 1}) == pytest.approx(-0.6)


def test_what_is_left_is_said_in_jobs_or_time() -> None:
    assert Budget(None, 3).words() == "3 jobs left"
    assert Budget(90, None).words() == "1 min 30 s left"


def test_means_are_compared_on_equal_folds() -> None:
    """Folds 5 to 9 are harder by 1: whoever was judged on them, too, must not look worse for it."""
    hard = {fold: 1.0 + (fold >= 5) for fold in range(10)}
    whole = Runner("a", "lp", scores={fold: value - 0.2 for fold, value in hard.items()})
    half = Runner("b", "lp", scores={fold: hard[fold] for fold in range(5)})
    found = levels([half, whole])
    assert found["a · lp"] == pytest.approx(1.3)  # its plain mean
    assert found["b · lp"] == pytest.approx(1.5)  # not 1.0
    assert levels([half]) == {"b · lp": pytest.approx(1.0)}
    none = Runner("c", "lp", scores={0: None, 1: 0.1})
    assert levels([none, half, Runner("d", "lp")]) == {"b · lp": pytest.approx(1.0)}
    assert levels([]) == {}
    other = Runner("e", "lp", scores={0: None, 1: 0.3, 2: None})
    assert levels([none, other]) == {"c · lp": pytest.approx(0.1), "e · lp": pytest.approx(0.3)}
    assert levels([Runner("f", "lp", scores={0: None})]) == {}
    track = Track()
    race = Race([half, none, whole], track, 5, Budget(None, 1), "rmse", 1, members=1)
    assert names(race.ranked()) == ["a", "b", "c"]
