"""How jobs end, as the store tells: only what is new counts, and what another sweep did meanwhile is new."""

from lab import Lab, primary

from roftbench.sweep.outcomes import Ending, Endings

FAILS = ("method=full_ft", "train.lr=1e30")


def test_a_job_has_ended_when_its_record_is_there(lab: Lab) -> None:
    [one] = lab.plan("method=lp").jobs
    endings = Endings([one])
    assert not endings.ended(one)
    assert endings.of(one) is None
    record = lab.done("method=lp")
    assert endings.ended(one)
    scores = f"rmse: val {primary(record):.4f}, test {primary(record, 'test'):.4f}"
    assert endings.of(one) == Ending("done", scores)


def test_a_failure_counts_only_if_it_is_new(lab: Lab) -> None:
    lab.run(*FAILS)
    [one] = lab.plan(*FAILS).jobs
    endings = Endings([one])
    assert not endings.ended(one)
    failure = lab.run(*FAILS).record
    assert endings.of(one) == Ending("failed", failure.error)


def test_a_skipped_job_says_why(lab: Lab) -> None:
    skipped = ("method=surgical_ft", "method.block=layer4")
    [one] = lab.plan(*skipped).jobs
    endings = Endings([one])
    reason = lab.run(*skipped).record.error
    assert "'layer4'" in reason
    assert endings.of(one) == Ending("skipped", reason)


def test_a_damaged_record_is_no_end_and_the_one_in_its_place_is(lab: Lab) -> None:
    path = lab.store.record_path(lab.done("method=lp").key)
    path.write_text("{")
    [one] = lab.plan("method=lp").jobs
    endings = Endings([one])
    assert not endings.ended(one)
    lab.done("method=lp")
    ending = endings.of(one)
    assert ending is not None
    assert ending.status == "done"
    path.write_text("{")
    assert endings.of(one) == Ending("failed", "its record cannot be read; the same command does it again")


def test_what_another_sweep_did_between_planning_and_the_start_has_ended(lab: Lab) -> None:
    plan = lab.plan("method=lp", "seed=0,1")
    lab.done("method=lp", "seed=1")
    endings = Endings(plan.open)
    assert [endings.ended(one) for one in plan.open] == [False, True]
    [again] = lab.plan("method=lp", "seed=1", "run.rerun=true").open
    assert not Endings([again]).ended(again)  # asked for once more
