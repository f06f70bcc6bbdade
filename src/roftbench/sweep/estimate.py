"""How long a plan will take: units of work times the seconds of a unit, as before or in one measured epoch."""

import statistics
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import bar, logged
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.label_ratio import LabelRatio
from roftbench.errors import JobError, UsageError
from roftbench.runner.devices import device_type, expected_arithmetic
from roftbench.runner.run import run_job
from roftbench.runner.stages import Needed
from roftbench.store.checksums import digest
from roftbench.store.downloads import Places, Source, present
from roftbench.store.record_schema import Record, RecordSummary
from roftbench.store.tensors import description_in
from roftbench.sweep.plan import Plan, Planned
from roftbench.sweep.throughput import Rates, coefficients, work

MEASURED = 256  # labels of an epoch that is measured: enough for a rate, no more than seconds
CPU = "cpu"


@dataclass(frozen=True)
class Estimate:
    """Seconds that the open jobs of a plan take one after another, and the longest alone, as far as that can be said.

    without: why it cannot be said, in words, and of how many jobs. fits: how many fits all open jobs need; shared: how
    many without doing one twice; kept: how many of these are in the store. measured: models of which an epoch was
    measured, because no record tells.
    """

    seconds: float
    longest: float
    without: dict[str, int]
    fits: int
    shared: int
    kept: int
    measured: tuple[str, ...]


def estimate(plan: Plan, records: Iterable[RecordSummary]) -> Estimate:
    """Return what the open jobs of a plan need, and for how long. Nothing is downloaded for it.

    Raises:
        UsageError: a data set or checkpoint of this machine cannot be read.
        JobError: the measured epoch failed.
    """
    sized, reasons = _sized(plan.open)
    rates = RatesByDevice()
    atoms = {str(one.job.dataset.name): size.mean for one, size in sized}
    for record in records:
        rates.add_record(record, atoms)
    measured = _measure_missing(sized, rates)
    networks = [one for one in plan.open if one.job.trains]
    fits = {_fit(one, need): (one, need) for one in networks for need in one.fits}
    kept = {fit for fit, (one, need) in fits.items() if _is_kept(one, need)}
    spans: dict[str, float] = {}
    starts, alone = 0.0, [0.0]  # alone: seconds of each job, if it does all its fits itself
    for one, size in sized:
        own, reason = _own(one, size, rates.of(one), kept)
        if reason:
            reasons.append(reason)
            continue
        spans |= own
        starts += rates.of(one).start
        alone.append(rates.of(one).start + sum(own.values()))
    needs, why = sum(len(one.fits) for one in networks), dict(Counter(reasons))
    return Estimate(starts + sum(spans.values()), max(alone), why, needs, len(fits), len(kept), measured)


def _own(one: Planned, size: "Sizes", rates: Rates, kept: Container[str]) -> tuple[dict[str, float], str]:
    """Return the seconds of what a job does itself, by what names it; or why they cannot be said, else ""."""
    model, dataset = one.job.model.name, str(one.job.dataset.name)
    if not one.fits:
        totals = rates.totals.get((model, dataset))
        return ({one.key: statistics.fmean(totals)}, "") if totals else ({}, f"no record tells of {model} on {dataset}")
    spans = {}
    for need in one.fits:
        rate = rates.of(model, need.name, frozen=need.frozen)
        if rate is None:
            device = f"run.device={one.env.run.device}"
            return {}, f"no record tells of {model}, and {device} is not here to measure an epoch"
        if _fit(one, need) not in kept:
            spans[_fit(one, need)] = units(need, one.job, size) * rate
    return spans, ""


def _fit(one: Planned, need: Needed) -> str:
    """Return what names a fit: jobs that are done again share none."""
    return f"{one.key} {need.key}" if one.env.run.rerun else need.key


def _is_kept(one: Planned, need: Needed) -> bool:
    """Tell whether a fit is in the store, made with what the job will make it with: it is made again otherwise."""
    made_with = description_in(one.store.stage_path(need.key)).get("made_with")
    return not one.env.run.rerun and made_with is not None and made_with == expected_arithmetic(one.env)


@dataclass(frozen=True)
class Sizes:
    """Atoms in the training and the validation part of a job, and in a molecule of the data set on average."""

    train: int
    val: int
    mean: float


def _sized(jobs: Iterable[Planned]) -> tuple[list[tuple[Planned, Sizes]], list[str]]:
    """Return the jobs whose data and checkpoint are here with their sizes, and for each other job why it has none.

    Data sets are featurized if they were not.
    """
    away = _Away()
    ways: dict[str, list[Planned]] = {}
    reasons = []
    for one in jobs:
        if (reason := away.of(one)) is not None:
            reasons.append(reason)
        else:
            ways.setdefault(_parts_of(one), []).append(one)
    found = []
    datasets: dict[str, MoleculeDataset] = {}
    for alike in bar(sorted(ways.values(), key=_dataset_of), "data", "split"):
        job, env = alike[0].job, alike[0].env
        name = _dataset_of(alike)
        if name not in datasets:
            datasets = {name: load_dataset(job.dataset, env.cache / "data", env.places)}
        atoms = datasets[name].sizes
        try:
            _, parts = datasets[name].cut(build(job.split), job.label_ratio)
        except UsageError as error:  # too few labels, for example: so it will be with each of these jobs
            reasons += [str(error)] * len(alike)
            continue
        size = Sizes(int(atoms[parts.train].sum()), int(atoms[parts.val].sum()), float(atoms.mean()))
        found += [(one, size) for one in alike]
    return found, reasons


def _dataset_of(alike: Sequence[Planned]) -> str:
    return repr(alike[0].job.dataset)


class _Away:
    """Tells which published file a job needs that is not on this machine; each file is looked for once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Source, Places], bool] = {}

    def of(self, one: Planned) -> str | None:
        """Return in words what is missing and how to get it; None if nothing is."""
        for source in one.job.sources():
            asked = source, one.env.places
            if asked not in self._known:
                self._known[asked] = present(*asked) is not None
            if not self._known[asked]:
                return f"{source.what} is not here: roftbench fetch {source.group}={source.what.split()[-1]}"
        return None


def _parts_of(one: Planned) -> str:
    identity = one.job.fit_identity()
    return digest({name: identity[name] for name in ("dataset", "split", "label_ratio")})


def units(need: Needed, job: Job, sizes: Sizes) -> float:
    """Return the work of a stage, or of what a method learns after the last one."""
    if need.stage is None:
        return coefficients(job.method.params, sizes.val)
    return work(sizes.train, sizes.val, need.stage.epochs or job.train.epochs, frozen=need.frozen)


class RatesByDevice:
    """What jobs took on processors and on GPUs: one says little of the other, but more than nothing."""

    def __init__(self) -> None:
        self._rates = {True: Rates(), False: Rates()}  # on a processor, on a GPU

    def add_record(self, record: RecordSummary, atoms: dict[str, float]) -> None:
        """Take note of what a record says of its kind of device."""
        self._rates[record.env.get("device") == CPU].add_record(record, atoms)

    def of(self, one: Planned) -> Rates:
        """Return the rates of a job's kind of device, or of the other if only that one knows its model."""
        on_cpu = not one.job.trains or _on_cpu(one.env)
        own, other = self._rates[on_cpu], self._rates[not on_cpu]
        return other if other.knows(one.job.model.name) and not own.knows(one.job.model.name) else own


def _on_cpu(env: RunContext) -> bool:
    return device_type(env.run.device) == CPU


def _measure_missing(sized: Iterable[tuple[Planned, Sizes]], rates: RatesByDevice) -> tuple[str, ...]:
    """Measure one short epoch of each model that no record tells of, where parts are smallest; returns their names.

    None of a model whose jobs run on a device that this machine lacks.
    """
    smallest: dict[str, tuple[Planned, Sizes]] = {}
    for one, size in sized:
        model = one.job.model.name
        unknown = any(rates.of(one).of(model, need.name, frozen=need.frozen) is None for need in one.fits)
        if unknown and expected_arithmetic(one.env) is not None:
            smallest[model] = min(smallest.get(model, (one, size)), (one, size), key=_atoms)
    for one, size in smallest.values():
        epoch = one_epoch(one.job, one.env, few=size.train > MEASURED * size.mean)
        rates.of(one).add_stages(epoch, size.mean)
    return tuple(smallest)


def _atoms(item: tuple[Planned, Sizes]) -> int:
    return item[1].train + item[1].val


def one_epoch(job: Job, env: RunContext, *, few: bool = False) -> RecordSummary:
    """Return the record of one epoch of full fine-tuning, of few labels or all, run in a folder that is thrown away.

    Raises:
        JobError: it failed.
    """
    spec = replace(job.method, name="full_ft", target="roftbench.methods.full_ft.FullFT", params={}, search=False)
    job = replace(job, method=spec, train=replace(job.train, epochs=1))
    if few:
        job = replace(job, label_ratio=LabelRatio(count=MEASURED, val_budget="strict"))
    if not _on_cpu(env):
        _run_apart(job, env)  # the first job of a process on a GPU takes long: libraries are loaded
    return _run_apart(job, env)


def _run_apart(job: Job, env: RunContext) -> RecordSummary:
    with tempfile.TemporaryDirectory() as folder, logged(None, quiet=True):
        record = run_job(job, replace(env, results=Path(folder))).record
    if not isinstance(record, Record):
        reason = record.error if record else "another process runs it"
        raise JobError(f"an epoch of model={job.model.name} could not be measured: {reason}")
    return record.summary()
