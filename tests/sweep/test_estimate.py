"""How long a plan will take: what the records say of a unit of work, times the units that are missing, none twice."""

import pytest
from lab import FOREST, Lab
from msgspec.structs import replace

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.report.records import read_records
from roftbench.runner.run import Outcome, run_job
from roftbench.store.record_schema import Record, StageResult
from roftbench.sweep import estimate as module
from roftbench.sweep.estimate import Estimate, estimate
from roftbench.sweep.throughput import START, Rates

FULL = ("method=full_ft", "train.epochs=4")


def estimated(lab: Lab, *overrides: str) -> Estimate:
    return estimate(lab.plan(*overrides), read_records(lab.store)[0])


def seconds_a_unit(lab: Lab, record: Record) -> float:
    """Return what one forward pass of one atom took in full fine-tuning of ESOL."""
    experiment = lab.experiment(*FULL)
    mean = float(experiment.dataset.sizes.mean())
    graphs = record.count.graphs
    return float(record.seconds["ft"] / (4 * (3 * graphs.train + graphs.val) * mean))


def start_of(record: Record) -> float:
    fits = sum(span for name, span in record.seconds.items() if name != "total" and "reused" not in name)
    return float(record.seconds["total"] - fits)


def atoms(lab: Lab, *overrides: str) -> tuple[int, int]:
    experiment = lab.experiment(*overrides)
    sizes = experiment.dataset.sizes
    return int(sizes[experiment.parts.train].sum()), int(sizes[experiment.parts.val].sum())


def test_the_records_rate_times_the_atoms_and_epochs_of_what_is_missing(lab: Lab) -> None:
    record = lab.done(*FULL)
    rate, start = seconds_a_unit(lab, record), start_of(record)
    train, val = atoms(lab, *FULL, "label_ratio=n100")
    found = estimated(lab, *FULL, "label_ratio=n100", "train.epochs=9", "seed=0,1")
    assert found.seconds == pytest.approx(2 * (start + 9 * (3 * train + val) * rate))
    assert (found.fits, found.shared, found.in_store, found.measured, found.without) == (2, 2, 0, (), {})


def test_what_is_shared_counts_once_and_what_is_kept_not_at_all(lab: Lab) -> None:
    record = lab.done(*FULL)
    start = start_of(record)
    one = estimated(lab, *FULL, "seed=1")
    both = estimated(lab, *FULL, "seed=1", "method=full_ft,wise_ft")
    assert (both.fits, both.shared, both.in_store) == (2, 1, 0)
    assert both.seconds == pytest.approx(one.seconds + start)
    kept = estimated(lab, *FULL, "method=full_ft,wise_ft")  # the first is done
    assert (kept.fits, kept.shared, kept.in_store) == (1, 1, 1)
    assert kept.seconds == pytest.approx(start)
    again = estimated(lab, *FULL, "run.rerun=true")
    assert (again.in_store, again.seconds) == (0, pytest.approx(one.seconds))


def test_probing_and_coefficients_cost_what_they_read(lab: Lab) -> None:
    records = [lab.done(*FULL), lab.done("method=lp"), lab.done("method=roftmol", "train.epochs=4")]
    mean = float(lab.experiment(*FULL).dataset.sizes.mean())
    rates = Rates()
    for record in records:
        rates.add_record(record.summary(), {"esol": mean})
    graphs = records[0].count.graphs
    lp = records[1].seconds["lp"] / ((graphs.train + graphs.val) * mean)
    assert rates.of("tiny_gin", "lp", frozen=True) == pytest.approx(lp)
    finish = records[2].seconds["finish"] / (4 * 5 * graphs.val * mean)  # five epochs of coefficients
    assert rates.of("tiny_gin", "finish") == pytest.approx(finish)
    assert rates.of("tiny_gin", "ft") == pytest.approx(seconds_a_unit(lab, records[0]))
    assert rates.of("tiny_gin", "other") is not None
    assert rates.of("gin_masking", "ft") is None
    assert Rates().start == START


def test_a_head_that_trains_behind_a_moving_encoder_costs_every_epoch(lab: Lab) -> None:
    """Running statistics move with frozen_mode=train: the encoder is run again each time, whatever the stage's name."""
    given = "method=lp", "train.frozen_mode=train", "train.epochs=4"
    record = lab.done(*given)
    assert record.stages == [StageResult(name="lp", blocks=["head"], frozen=False)]
    rates, graphs, mean = Rates(), record.count.graphs, float(lab.experiment(*given).dataset.sizes.mean())
    rates.add_record(record.summary(), {"esol": mean})
    work = 4 * (3 * graphs.train + graphs.val) * mean
    assert rates.of("tiny_gin", "lp") == pytest.approx(record.seconds["lp"] / work)
    train, val = atoms(lab, *given)
    missing = estimated(lab, *given, "seed=1").seconds - start_of(record)
    assert missing == pytest.approx(4 * (3 * train + val) * record.seconds["lp"] / work)


def test_a_record_of_an_older_version_says_nothing_of_its_stages(lab: Lab) -> None:
    record = lab.done(*FULL)
    rates = Rates()
    rates.add_record(replace(record.summary(), stages=[]), {"esol": 20.0})
    assert rates.of("tiny_gin", "ft") is None
    assert rates.start == pytest.approx(start_of(record))


def test_of_a_model_without_a_record_one_epoch_is_measured_and_nothing_is_left_of_it(lab: Lab) -> None:
    found = estimated(lab, "method=lp,full_ft", "label_ratio=n50,full")
    assert found.measured == ("tiny_gin",)
    assert found.seconds > 4 * START
    assert not lab.results.exists()


@pytest.mark.parametrize(("ratio", "measured"), [("full", "n256-strict"), ("n100", "n100")])
def test_an_epoch_that_is_measured_is_short_however_large_the_data_set(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, ratio: str, measured: str
) -> None:
    jobs: list[Job] = []

    def noted(job: Job, env: RunContext) -> Outcome:
        jobs.append(job)
        return run_job(job, env)

    monkeypatch.setattr(module, "run_job", noted)
    found = estimated(lab, "method=full_ft", f"label_ratio={ratio}", "train.epochs=100")
    assert [(job.label_ratio.name, job.train.epochs) for job in jobs] == [(measured, 1)]
    assert found.measured == ("tiny_gin",)


def test_what_is_not_on_this_machine_is_named_with_the_command_that_brings_it(lab: Lab) -> None:
    found = estimated(lab, "method=lp", "dataset=malaria,tox21,esol", "seed=0,1")
    assert found.without == {
        "data set malaria is not here: roftbench fetch dataset=malaria": 2,
        "data set tox21 is not here: roftbench fetch dataset=tox21": 2,
    }
    assert found.fits == 6
    assert found.seconds > 2 * START
    away = estimated(lab, "model=gin_edgepred", "method=lp")
    assert away.without == {"model gin_edgepred is not here: roftbench fetch model=gin_edgepred": 1}
    assert (away.seconds, away.measured) == (0, ())


def test_jobs_that_ask_for_more_labels_than_there_are_do_not_spoil_the_others(lab: Lab) -> None:
    found = estimated(lab, "method=lp", "dataset=freesolv,esol", "label_ratio.count=600")
    [(reason, count)] = found.without.items()
    assert "600" in reason
    assert "513" in reason
    assert count == 1
    assert found.seconds > START


def test_a_model_without_a_network_takes_what_its_records_say(lab: Lab) -> None:
    unknown = estimated(lab, *FOREST, "seed=1,2")
    assert unknown.without == {"no record of ecfp · random_forest on esol": 2}
    total = lab.done(*FOREST).seconds["total"]
    known = estimated(lab, *FOREST, "seed=1,2")
    assert known.seconds == pytest.approx(2 * total)
    assert (known.without, known.fits) == ({}, 0)
    other = estimated(lab, "model=ecfp", "method=mean", "seed=1")
    assert other.without == {"no record of ecfp · mean on esol": 1}
    search = estimated(lab, *FOREST, "method.search=true")
    assert search.without == {"no record of ecfp · random_forest with its search on esol": 1}


def test_what_a_gpu_took_says_nothing_of_a_processor(lab: Lab) -> None:
    record = lab.done(*FULL).summary()
    there = replace(record, env={**record.env, "device": "NVIDIA H200"}, seconds={"ft": 1e6, "total": 2e6})
    plan = lab.plan(*FULL, "seed=1")
    assert estimate(plan, [record, there]) == estimate(plan, [record])


def test_what_a_gpu_took_is_better_than_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    record = lab.done(*FULL).summary()
    there = replace(record, env={**record.env, "device": "NVIDIA H200"})
    plan = lab.plan(*FULL, "seed=1")
    assert estimate(plan, [there]) == estimate(plan, [record])
    monkeypatch.setattr(module, "device_type", lambda name: "cuda")
    slow = replace(record, seconds={"ft": 1e6, "total": 2e6})
    assert estimate(plan, [there, slow]) == estimate(plan, [there])


def test_a_forest_works_on_the_processor_of_a_machine_with_a_gpu(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    record = lab.done(*FOREST).summary()
    plan = lab.plan(*FOREST, "seed=1")
    expected = estimate(plan, [record])
    assert expected.without == {}
    monkeypatch.setattr(module, "device_type", lambda name: "cuda")
    assert estimate(plan, [record]) == expected


def test_linear_probing_says_nothing_of_a_training(lab: Lab) -> None:
    """Its encoder runs once: an epoch is measured, and the estimate is of what full fine-tuning takes."""
    for ratio in ("n50", "full"):
        lab.done("method=lp", f"label_ratio={ratio}", "train.epochs=60")
    plan = "method=full_ft", "label_ratio=full", "train.epochs=20"
    found = estimated(lab, *plan)
    assert found.measured == ("tiny_gin",)
    taken = lab.done(*plan).seconds["ft"]
    assert found.seconds < 4 * taken + START
    assert estimated(lab, "method=lp", "label_ratio=n100").measured == ()


def test_what_is_made_again_is_not_called_kept(lab: Lab) -> None:
    lab.done(*FULL)
    words = ("method=wise_ft", FULL[1])
    assert estimated(lab, *words).in_store == 1
    other = estimated(lab, *words, "run.threads=2")
    assert (other.in_store, other.shared) == (0, 1)
    assert other.seconds > estimated(lab, *words).seconds
    [stage] = lab.stages()
    stage.write_bytes(b"cut")
    assert estimated(lab, *words).in_store == 0


def test_jobs_that_are_done_again_share_no_fit(lab: Lab) -> None:
    record = lab.done(*FULL)
    found = estimated(lab, "method=full_ft,wise_ft", FULL[1], "run.rerun=true")
    assert (found.fits, found.shared, found.in_store) == (2, 2, 0)
    assert found.seconds == pytest.approx(2 * found.longest)
    fitted = lab.done("method=wise_ft", FULL[1], "run.rerun=true")
    assert "ft" in fitted.seconds
    assert record.seconds["ft"] < found.longest
