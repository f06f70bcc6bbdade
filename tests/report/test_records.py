"""Records without their bulk say the same as whole ones, to each command that reads many."""

from lab import Lab

from roftbench.report.records import each_record, read_records
from roftbench.report.runs import run_rows
from roftbench.runner.run import put_failure
from roftbench.sweep.throughput import Rates


def test_list_runs_and_plan_say_the_same_without_the_bulk_of_records(lab: Lab) -> None:
    lab.done("method=lp_ft")
    lab.done("method=roftmol", "seed=1")
    put_failure(lab.store, lab.job("method=lp")[0], "lightning")
    found = list(each_record(lab.store))
    whole = [*(record.summary() for record in lab.store.load()), *lab.store.load_failures()]
    assert [one.key for one in found] == [one.key for one in whole]
    assert found[:2] == whole[:2]
    assert run_rows(found) == run_rows(whole)
    rates = Rates(), Rates()
    for own, records in zip(rates, (found, whole), strict=True):
        for record in records[:2]:
            own.add_record(record, {"esol": 20.0})
    assert vars(rates[0]) == vars(rates[1])
    assert rates[0].of("tiny_gin", "ft") is not None
    lean, failures = read_records(lab.store)
    assert [one.key for one in (*lean, *failures)] == [one.key for one in whole]
