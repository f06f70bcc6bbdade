"""Duration of a plan: units of work times seconds per unit, from records or from one measured epoch."""

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
from roftbench.runner.devices import device_type, expected_arithmetic, is_stored
from roftbench.runner.run import run_job
from roftbench.runner.stages import Needed
from roftbench.store.checksums import digest
from roftbench.store.downloads import Places, Source, present
from roftbench.store.record_schema import Record, RecordSummary
from roftbench.sweep.plan import Plan, Planned
from roftbench.sweep.throughput import Rates, coefficients, work

MEASURED = 256  # labels of an epoch that is measured: enough for a rate, no more than seconds
CPU = "cpu"


@dataclass(frozen=True)
class Estimate:
    """Estimated time of the open jobs of a plan.

    seconds, longest: of all jobs one after another, and of the longest alone. without: reasons why jobs have no
    estimate, with the number of jobs. fits: fits that all open jobs need; shared: without repetitions; in_store: of
    these, already fitted. measured: models without records, of which one epoch was measured.
    """

    seconds: float
    longest: float
    without: dict[str, int]
    fits: int
    shared: int
    in_store: int
    measured: tuple[str, ...]


def estimate(plan: Plan, records: Iterable[RecordSummary]) -> Estimate:
    """Return the fits and the time that the open jobs of a plan need. Nothing is downloaded.

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
    in_store = {
        fit for fit, (one, need) in fits.items() if not one.context.run.rerun and is_stored(need.key, one.context)
    }
    spans: dict[str, float] = {}
    starts, alone = 0.0, [0.0]  # alone: seconds of each job, if it does all its fits itself
    for one, size in sized:
        own, reason = _own(one, size, rates.of(one), in_store)
        if reason:
            reasons.append(reason)
            continue
        spans |= own
        starts += rates.of(one).start
        alone.append(rates.of(one).start + sum(own.values()))
    needs, why = sum(len(one.fits) for one in networks), dict(Counter(reasons))
    return Estimate(starts + sum(spans.values()), max(alone), why, needs, len(fits), len(in_store), measured)


def _own(one: Planned, size: "Sizes", rates: Rates, in_store: Container[str]) -> tuple[dict[str, float], str]:
    """Return the seconds of each fit that is not in the store, and ""; or nothing and why there is no estimate."""
    model, dataset = one.job.model.name, str(one.job.dataset.name)
    if not one.fits:
        method, search = one.job.method.name, one.job.method.search
        whole = rates.whole(model, dataset, method, search=search)
        if whole is None:
            return {}, f"no record of {model} · {method}{' with its search' if search else ''} on {dataset}"
        return {one.key: max(0.0, whole - rates.start)}, ""
    spans = {}
    for need in one.fits:
        rate = rates.of(model, need.name, frozen=need.frozen)
        if rate is None:
            device = f"run.device={one.context.run.device}"
            return {}, f"no record of {model}, and {device} is not available to measure an epoch"
        if _fit(one, need) not in in_store:
            spans[_fit(one, need)] = units(need, one.job, size) * rate
    return spans, ""


def _fit(one: Planned, need: Needed) -> str:
    """Return the name of a fit; jobs with run.rerun share none."""
    return f"{one.key} {need.key}" if one.context.run.rerun else need.key


@dataclass(frozen=True)
class Sizes:
    """Atoms in the training and the validation part of a job, and the mean number of atoms per molecule."""

    train: int
    val: int
    mean: float


def _sized(jobs: Iterable[Planned]) -> tuple[list[tuple[Planned, Sizes]], list[str]]:
    """Return the jobs whose data and checkpoint are on this machine with their sizes, and the reason for each other.

    Data sets that are not in the cache are featurized.
    """
    missing = _MissingFiles()
    groups: dict[str, list[Planned]] = {}
    reasons = []
    for one in jobs:
        if (reason := missing.of(one)) is not None:
            reasons.append(reason)
        else:
            groups.setdefault(_parts_of(one), []).append(one)
    found = []
    datasets: dict[str, MoleculeDataset] = {}
    for alike in bar(sorted(groups.values(), key=_dataset_of), "data", "split"):
        job, context = alike[0].job, alike[0].context
        name = _dataset_of(alike)
        if name not in datasets:
            datasets = {name: load_dataset(job.dataset, context.cache / "data", context.places)}
        atoms = datasets[name].sizes
        try:
            _, parts = datasets[name].cut(build(job.split), job.label_ratio)
        except UsageError as error:  # too few labels, for example, in each of these jobs
            reasons += [str(error)] * len(alike)
            continue
        size = Sizes(int(atoms[parts.train].sum()), int(atoms[parts.val].sum()), float(atoms.mean()))
        found += [(one, size) for one in alike]
    return found, reasons


def _dataset_of(alike: Sequence[Planned]) -> str:
    return repr(alike[0].job.dataset)


class _MissingFiles:
    """Published files that jobs need and that are not on this machine; each file is looked for once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Source, Places], bool] = {}

    def of(self, one: Planned) -> str | None:
        """Return the missing files of a job and how to get them; None if none is missing."""
        for source in one.job.sources():
            file = source, one.context.places
            if file not in self._known:
                self._known[file] = present(*file) is not None
            if not self._known[file]:
                return f"{source.what} is not here: roftbench fetch {source.group}={source.what.split()[-1]}"
        return None


def _parts_of(one: Planned) -> str:
    identity = one.job.fit_identity()
    return digest({name: identity[name] for name in ("dataset", "split", "label_ratio")})


def units(need: Needed, job: Job, sizes: Sizes) -> float:
    """Return the work of a stage, or of the coefficients that a method learns after the last one."""
    if need.stage is None:
        return coefficients(job.method.params, sizes.val)
    return work(sizes.train, sizes.val, need.stage.epochs or job.train.epochs, frozen=need.frozen)


class RatesByDevice:
    """Rates on CPUs and on GPUs; those of the other kind stand in for a model that has none of its own."""

    def __init__(self) -> None:
        self._rates = {True: Rates(), False: Rates()}  # on a CPU, on a GPU

    def add_record(self, record: RecordSummary, atoms: dict[str, float]) -> None:
        """Add the times of a record to the rates of its kind of device."""
        self._rates[record.env.get("device") == CPU].add_record(record, atoms)

    def of(self, one: Planned) -> Rates:
        """Return the rates of a job's kind of device, or of the other kind if only that has its model."""
        on_cpu = not one.job.trains or _on_cpu(one.context)
        own, other = self._rates[on_cpu], self._rates[not on_cpu]
        return other if other.has(one.job.model.name) and not own.has(one.job.model.name) else own


def _on_cpu(context: RunContext) -> bool:
    return device_type(context.run.device) == CPU


def _measure_missing(sized: Iterable[tuple[Planned, Sizes]], rates: RatesByDevice) -> tuple[str, ...]:
    """Measure one short epoch of each model without records, on its smallest job; returns the names of these models.

    Models whose jobs run on a device that this machine lacks are left out.
    """
    smallest: dict[str, tuple[Planned, Sizes]] = {}
    for one, size in sized:
        model = one.job.model.name
        unknown = any(rates.of(one).of(model, need.name, frozen=need.frozen) is None for need in one.fits)
        if unknown and expected_arithmetic(one.context) is not None:
            before = smallest.get(model, (one, size))
            smallest[model] = min(before, (one, size), key=lambda job: job[1].train + job[1].val)
    for one, size in smallest.values():
        epoch = one_epoch(one.job, one.context, few=size.train > MEASURED * size.mean)
        rates.of(one).add_stages(epoch, size.mean)
    return tuple(smallest)


def one_epoch(job: Job, context: RunContext, *, few: bool = False) -> RecordSummary:
    """Return the record of one epoch of full fine-tuning, with few labels or all; its results folder is temporary.

    Raises:
        JobError: the epoch failed.
    """
    spec = replace(job.method, name="full_ft", target="roftbench.methods.full_ft.FullFT", params={}, search=False)
    job = replace(job, method=spec, train=replace(job.train, epochs=1))
    if few:
        job = replace(job, label_ratio=LabelRatio(count=MEASURED, val_budget="strict"))
    if not _on_cpu(context):
        _run_apart(job, context)  # the first run on a GPU is slow: libraries are loaded
    return _run_apart(job, context)


def _run_apart(job: Job, context: RunContext) -> RecordSummary:
    with tempfile.TemporaryDirectory() as folder, logged(None, quiet=True):
        record = run_job(job, replace(context, results=Path(folder))).record
    if not isinstance(record, Record):
        reason = record.error if record else "another process runs it"
        raise JobError(f"an epoch of model={job.model.name} could not be measured: {reason}")
    return record.summary()
