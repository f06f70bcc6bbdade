"""Outcomes of jobs, read from the store: only new ones count, and those of another sweep meanwhile are new."""

from lab import Lab, primary

from roftbench.sweep.outcomes import JobOutcome, Outcomes

FAILS = ("method=full_ft", "train.lr=1e30")


def test_a_job_has_ended_when_its_record_is_there(lab: Lab) -> None:
    [one] = lab.plan("method=lp").jobs
    outcomes = Outcomes([one])
    assert not outcomes.ended(one)
    assert outcomes.of(one) is None
    record = lab.done("method=lp")
    assert outcomes.ended(one)
    scores = f"rmse: val {primary(record):.4f}, test {primary(record, 'test'):.4f}"
    found = outcomes.of(one)
    assert found is not None
    assert found.record is not None
    assert (found.status, found.words, found.record.key) == ("done", scores, record.key)


def test_a_failure_counts_only_if_it_is_new(lab: Lab) -> None:
    lab.run(*FAILS)
    [one] = lab.plan(*FAILS).jobs
    outcomes = Outcomes([one])
    assert not outcomes.ended(one)
    failure = lab.run(*FAILS).record
    assert outcomes.of(one) == JobOutcome("failed", failure.error)


def test_a_skipped_job_says_why(lab: Lab) -> None:
    skipped = ("method=surgical_ft", "method.block=layer4")
    [one] = lab.plan(*skipped).jobs
    outcomes = Outcomes([one])
    reason = lab.run(*skipped).record.error
    assert "'layer4'" in reason
    assert outcomes.of(one) == JobOutcome("skipped", reason)


def test_a_damaged_record_is_no_end_and_the_one_in_its_place_is(lab: Lab) -> None:
    path = lab.store.record_path(lab.done("method=lp").key)
    path.write_text("{")
    [one] = lab.plan("method=lp").jobs
    outcomes = Outcomes([one])
    assert not outcomes.ended(one)
    lab.done("method=lp")
    outcome = outcomes.of(one)
    assert outcome is not None
    assert outcome.status == "done"
    path.write_text("{")
    assert outcomes.of(one) == JobOutcome("failed", "its record cannot be read; the same command does it again")


def test_what_another_sweep_did_between_planning_and_the_start_has_ended(lab: Lab) -> None:
    plan = lab.plan("method=lp", "seed=0,1")
    lab.done("method=lp", "seed=1")
    outcomes = Outcomes(plan.open)
    assert [outcomes.ended(one) for one in plan.open] == [False, True]
    [again] = lab.plan("method=lp", "seed=1", "run.rerun=true").open
    assert not Outcomes([again]).ended(again)  # asked for once more
