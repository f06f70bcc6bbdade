"""The jobs of a sweep before any runs: each once, with its state, what it needs, and an order for several workers."""

from collections.abc import Sequence

from lab import Lab

from roftbench.config.job import NETWORK
from roftbench.sweep.plan import Planned, in_groups


def methods(jobs: Sequence[Planned]) -> list[tuple[str, int]]:
    return [(one.job.method.name, one.job.seed) for one in jobs]


def test_combinations_that_are_the_same_job_count_once(lab: Lab) -> None:
    # The seed of a split also draws the few-shot subset; with all labels, scaffold has no use for it.
    found = lab.plan("method=lp", "label_ratio=full", "split=scaffold,random", "split.seed=1,2")
    assert (found.combinations, len(found.jobs)) == (4, 3)
    assert found.open == found.jobs
    searched = lab.plan("method=lp,full_ft", "method.search=true,false")  # nor have these two a grid
    assert (searched.combinations, len(searched.jobs)) == (4, 2)


def test_what_the_store_has_is_done_what_failed_is_tried_again_and_a_damaged_record_does_not_count(lab: Lab) -> None:
    done = lab.done("method=lp", "seed=0")
    damaged = lab.done("method=lp", "seed=1")
    lab.store.record_path(damaged.key).write_text("{")
    assert lab.run("method=full_ft", "train.lr=1e30").status == "failed"
    found = lab.plan("method=lp", "seed=0,1,2")
    assert [one.state for one in found.jobs] == ["done", "new", "new"]
    assert found.jobs[0].key == done.key
    assert [one.job.seed for one in found.open] == [1, 2]
    assert [one.state for one in lab.plan("method=full_ft", "train.lr=1e30,0.1").jobs] == ["failed", "new"]
    assert len(lab.plan("method=lp", "seed=0", "run.rerun=true").open) == 1


def test_the_fits_of_a_job_are_the_files_that_it_leaves(lab: Lab) -> None:
    searches = (["method=roftmol", "method.search=true"], ["method=surgical_ft", "method.search=true"])
    for overrides in (["method=lp_ft"], *searches):
        [one] = lab.plan(*overrides).jobs
        before = set(lab.stages())
        assert {lab.store.stage_path(need.key) for need in one.fits}.isdisjoint(before)
        lab.done(*overrides)
        assert {lab.store.stage_path(need.key) for need in one.fits} == set(lab.stages()) - before
        assert len(one.fits) == {"lp_ft": 2, "roftmol": 1 + 4, "surgical_ft": 3}[one.job.method.name]


def test_a_baseline_without_a_network_needs_no_stage(lab: Lab) -> None:
    [one] = lab.plan("model=ecfp", "method=random_forest", "method.search=true").jobs
    assert one.job.model.kind != NETWORK
    assert one.fits == ()


def test_jobs_that_need_what_another_one_fits_come_after_it_within_their_group(lab: Lab) -> None:
    found = lab.plan("method=wise_ft,full_ft,lp_ft,lp", "dataset=esol,bbbp", "seed=0,1")
    ordered = in_groups(found.jobs)
    assert sorted(one.key for one in ordered) == sorted(one.key for one in found.jobs)
    assert [one.job.dataset.name for one in ordered] == ["esol"] * 8 + ["bbbp"] * 8
    # wise_ft comes first here and fits what full_ft needs; lp_ft fits the head of lp.
    first, later = ("wise_ft", "lp_ft"), ("full_ft", "lp")
    assert methods(ordered[:8]) == [(name, seed) for names in (first, later) for name in names for seed in (0, 1)]
