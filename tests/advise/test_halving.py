"""The race: who goes on, when it ends, and what is left for the jobs after it."""

from collections.abc import Sequence

import numpy as np
import pytest
from made_records import whole

from roftbench.advise.budget import Budget
from roftbench.advise.candidates import Candidate, mean_of, shared
from roftbench.advise.ending import ending
from roftbench.advise.halving import MARGIN, Race
from roftbench.store.record_schema import PartScores, Record

LOSS = {"a": 1.0, "b": 1.1, "c": 3.0, "d": 4.0, "base": 2.0, "quick": 1.5, "gp": 1.55, "forest": 1.6}
FOLDS = 5


class Track:
    """Gives each candidate its loss, a little worse on each fold, and seconds by model; notes who ran where.

    Its clock is the recorded one, which only jobs move.
    """

    def __init__(self, seconds: float = 1.0, fails: str = "", members: int = 2, **of: float) -> None:
        self.ran: list[tuple[str, int]] = []
        self.before: set[tuple[str, int]] = set()
        self.seconds, self.fails, self.members, self.of = seconds, fails, members, of
        self.counted = False

    def takes(self, one: Candidate) -> float:
        return 1.0 if self.counted else self.of.get(one.model, self.seconds)

    def needs(self, one: Candidate, fold: int) -> dict[str, float]:
        return {} if (one.model, fold) in self.before else {f"{one.model} {fold}": self.takes(one)}

    def finals(self, parts: Sequence[Candidate], *, least: bool = False) -> dict[str, float]:
        seeds = range(min(1, self.members) if least else self.members)
        return {f"{one.model} final {number}": self.takes(one) for one in parts for number in seeds}

    def loss(self, one: Candidate, fold: int) -> float:
        return LOSS[one.model] + fold / 100

    def judge(self, one: Candidate, fold: int) -> tuple[Record | None, float | None]:
        self.ran.append((one.model, fold))
        if one.model == self.fails:
            one.failure = "failed: diverged"
            return None, 0.0
        seconds = sum(self.needs(one, fold).values())
        record = whole(scores=PartScores({}, {}, {"rmse": self.loss(one, fold)}), seconds={"total": seconds})
        self.before.add((one.model, fold))
        return record, seconds or None


def networks(*names: str) -> list[Candidate]:
    return [Candidate(name, "bss") for name in names]


CHEAP = (("forest", "random_forest"), ("quick", "lp"))


def race(track: Track, seconds: float | None = None, jobs: int | None = None, names: str = "dcba") -> Race:
    track.counted = jobs is not None
    cheap = [Candidate(model, method, baseline=model == "forest") for model, method in CHEAP]
    return Race([*networks(*names), *cheap], track, FOLDS, Budget(seconds, jobs, recorded=True), "rmse", 1)


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [one.model for one in candidates]


def judged(found: Race) -> dict[str, int]:
    return {one.model: len(one.scores) for one in found.candidates}


def test_a_candidate_that_does_not_fit_in_leaves_its_place_to_cheaper_ones() -> None:
    track = Track(d=1000.0)
    found = race(track, 300, names="da")
    found.run()
    assert judged(found)["a"] >= FOLDS
    assert judged(found)["d"] == 0
    assert "folds of d" in found.stopped


def test_with_time_enough_all_are_judged_on_the_first_partition_and_the_best_on_the_others() -> None:
    track = Track()
    found = race(track, 100_000)
    found.run()
    assert judged(found) == {"d": 5, "c": 5, "b": 15, "a": 15, "forest": 15, "quick": 15}
    assert names(found.ranked()) == ["a", "b", "quick", "forest", "c", "d"]
    assert found.deciding() == set(range(15))
    assert ending(found).stopped == ""


def test_what_is_cheap_is_judged_on_all_folds_before_any_network_starts() -> None:
    track = Track(10.0, forest=0.5, quick=1.0)
    found = race(track, 130)
    found.run()
    assert track.ran[:10] == [(name, fold) for name in ("forest", "quick") for fold in range(5)]


def test_networks_of_the_encoder_that_is_best_without_fine_tuning_run_first() -> None:
    track = Track(10.0, forest=0.5, quick=1.0)
    found = race(track, 200, names="dcba")  # time for few networks
    frozen = [Candidate("d", "lp"), Candidate("b", "lp")]  # losses 4.0 and 1.1
    found.candidates += frozen
    found.run()
    assert [model for model, _ in track.ran if model not in ("forest", "quick")][10:12] == ["b", "b"]


def test_a_leaderboard_is_printed_as_soon_as_fingerprints_are_judged(capsys: pytest.CaptureFixture[str]) -> None:
    track = Track(10.0, forest=0.5, quick=1.0)
    found = race(track, 130)
    found.candidates.append(Candidate("gp", "gp", estimator=True, fingerprint=True))
    found.run()
    assert [model for model, _ in track.ran[:15:5]] == ["forest", "gp", "quick"]
    lines = capsys.readouterr().out.splitlines()
    first, second = (at for at, line in enumerate(lines) if "so far, mean rmse over all 5 folds" in line)
    assert first == 10  # after the forest and the Gaussian process, before anything that needs an encoder
    assert [line.split()[0] for line in lines[first + 1 : first + 3]] == ["gp", "forest"]
    assert [line.split()[0] for line in lines[second + 1 : second + 4]] == ["quick", "gp", "forest"]


def test_what_is_cheap_is_known_on_all_folds_though_little_time_is_left_for_seeds() -> None:
    track = Track(100.0, forest=7.6, quick=200.0, members=3)
    found = race(track, 66)  # 7.6 s of five folds and one last fit are 59 s with a margin, of three fits 79 s
    found.run()
    assert judged(found) == {"d": 0, "c": 0, "b": 0, "a": 0, "forest": 5, "quick": 0}


def test_no_network_begins_whose_folds_and_last_fits_would_not_fit_in() -> None:
    """The table of the bug report: a fit of almost the whole budget took what the forest needed for its folds."""
    track = Track(228.0, forest=3.3, quick=1.5)
    found = race(track, 240)
    found.run()
    assert judged(found) == {"d": 0, "c": 0, "b": 0, "a": 0, "forest": 5, "quick": 5}
    assert names(found.ranked())[:2] == ["quick", "forest"]
    left = ending(found)
    assert left.undecided == "no network was trained on all 5 folds"
    assert left.stopped.startswith("2 of 6 candidates were judged on all 5 folds; the budget did not cover")
    assert left.stopped.endswith("(24.0 s of 4 min 00 s used)")
    one, everybody = (24 + MARGIN * 228 * (folds + track.members) for folds in (5, 20))
    assert left.enough == (
        f"about {found.budget.shown(np.ceil(one))} would cover one more candidate,"
        f" about {found.budget.shown(np.ceil(everybody))} all of them"
    )


@pytest.mark.parametrize("seconds", [60, 100, 150, 200, 300, 500, 900])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_can_always_be_judged_and_fitted_and_was_compared_on_equal_folds(seconds: int, seed: int) -> None:
    """Whatever the scores: nothing is recommended unseen, the budget is kept, and no comparison crosses folds."""

    class Noisy(Track):
        def loss(self, one: Candidate, fold: int) -> float:
            return float(np.random.default_rng([seed, ord(one.model[0]), fold]).normal(1, 0.3) + fold)

    track = Noisy(7.0, forest=0.5, quick=1.0, a=15.0)
    found = race(track, seconds)
    found.run()
    best, *others = found.ranked()
    assert best.covers(FOLDS)
    assert sum(found.jobs.finals([best]).values()) <= found.budget.left()
    whole = [one for one in others if one.covers(FOLDS)]
    assert all(found.deciding() <= set(one.scores) for one in found.finalists())
    first = set(range(FOLDS))
    assert best in found.finalists()
    assert not any(one.loss(1, first) < min(other.loss(1, first) for other in found.finalists()) for one in whole)
    assert len(whole) == 5 or ending(found).stopped


@pytest.mark.parametrize("seconds", range(200, 400, 10))
def test_time_is_left_for_a_blend_with_what_is_cheap(seconds: int) -> None:
    track = Track(7.0, forest=3.0, quick=1.0)
    found = race(track, seconds)
    found.run()
    best = found.ranked()[0]
    cheap = [one for one in found.candidates if one.quick]
    assert found.affordable([best, *cheap])


def test_counted_jobs_halve_the_field() -> None:
    track = Track()
    found = race(track, jobs=28)
    found.run()
    # Ten for what is cheap, two folds of each of the four, three more of the better two; two members come after.
    assert judged(found) == {"d": 2, "c": 2, "b": 5, "a": 5, "forest": 5, "quick": 5}
    assert found.budget.left() == 28 - 24 >= track.members
    assert names(found.ranked()) == ["a", "b", "quick", "forest", "c", "d"]
    assert found.stopped == ("the budget did not cover 3 more folds of c · bss and the final fits (24 of 28 jobs used)")


def test_a_number_of_jobs_is_kept_and_what_is_too_much_is_not_begun() -> None:
    for jobs in range(1, 40):
        track = Track()
        found = race(track, jobs=jobs)
        found.run()
        assert len(track.ran) <= max(0, jobs - 1)
        assert len(track.ran) <= jobs - track.members or all(one.quick for one in found.candidates if one.scores)
        assert ending(found).stopped or jobs > 30


def test_fits_that_candidates_share_are_counted_once() -> None:
    class Sharing(Track):
        def needs(self, one: Candidate, fold: int) -> dict[str, float]:
            own = super().needs(one, fold)
            return own if one.quick or {("a", fold), ("b", fold)} & self.before else {**own, f"fit {fold}": 10.0}

    track = Sharing(0.1, members=0)
    found = race(track, 80, names="ab")
    found.run()
    assert judged(found)["a"] >= judged(found)["b"] == 5  # 50 s with a margin are 65, not 130


def test_what_is_done_costs_nothing() -> None:
    track = Track(60)
    track.before = {(name, fold) for name in LOSS for fold in range(5)}
    track.members = 0
    found = race(track, 0.001)
    found.run()
    assert judged(found) == dict.fromkeys(("d", "c", "b", "a", "forest", "quick"), 5)
    assert found.budget.used() == 0


def test_one_that_is_ahead_on_fewer_folds_is_neither_recommended_nor_hidden() -> None:
    track = Track(10.0, forest=0.5, quick=0.5)
    found = race(track, 1000)
    for one in found.candidates:
        folds = range(2) if one.model == "a" else range(5) if one.quick else ()
        one.scores = {fold: track.loss(one, fold) for fold in folds}
    found.stopped = "as it was"
    assert names(found.ranked())[:3] == ["quick", "forest", "a"]
    assert ending(found).undecided == "a · bss is ahead of quick · lp on the 2 folds that it was judged on"


def test_who_fails_falls_out_and_costs_nobody_else() -> None:
    for fails in ("a", "forest", "quick"):
        track = Track(fails=fails)
        found = race(track, 100_000)
        found.run()
        assert track.ran.count((fails, 0)) == 1
        assert (fails, 1) not in track.ran
        assert names(found.ranked())[-1] == fails
        assert len(found.ranked()[0].scores) == 15
        assert ending(found).stopped == ""


def test_an_undefined_score_is_worse_than_any_other() -> None:
    one = Candidate("a", "lp", scores={0: None, 1: 0.5})
    assert one.loss(1, {0, 1}) == float("inf")
    assert one.loss(1, {1}) == 0.5  # where nobody has a score, there is none to be had
    assert one.loss(1, ()) == float("inf")
    assert Candidate("b", "lp", scores={0: 0.5, 1: 0.7}).loss(-1, {0, 1}) == pytest.approx(-0.6)
    assert mean_of(one, {0, 1}) is None
    assert mean_of(one, {1}) == 0.5
    assert shared([one, Candidate("b", "lp", scores={0: None, 1: 0.7, 2: 0.1})]) == {1}
    assert shared([]) == set()


def test_what_was_used_is_said_in_jobs_or_time() -> None:
    counted = Budget(None, 3)
    counted.spend(1.0)
    assert counted.words() == "1 of 3 jobs used"
    timed = Budget(90, None, recorded=True)
    timed.spend(30.0)
    assert timed.words() == "30.0 s of 1 min 30 s used"
    assert (timed.left(), timed.allows(60), timed.allows(61)) == (60, True, False)


def test_folds_that_others_have_too_are_all_that_is_compared() -> None:
    """Folds 5 to 9 are harder by 1: whoever was judged on them, too, must not look worse for it."""
    track = Track()
    found = race(track, 1000, names="ab")
    a, b, *cheap = found.candidates
    a.scores = {fold: 0.8 + (fold >= 5) for fold in range(10)}
    b.scores = dict.fromkeys(range(5), 1.0)
    for one in cheap:
        one.scores = {fold: 2.0 + (fold >= 5) for fold in range(10)}
    assert found.deciding() == set(range(10))
    assert names(found.ranked()) == ["a", "forest", "quick", "b"]
    assert mean_of(a, range(10)) == pytest.approx(1.3)
