"""How long a plan will take: units of work times the seconds that a unit took before, or takes in one measured epoch.

A unit is one forward pass of one atom. Training costs three of them an atom and epoch (forward, and twice as much for
the gradients), validating one; ROFT-MOL's coefficients cost four an atom of the validation part and epoch.
"""

import logging
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from roftbench.checksums import digest
from roftbench.components import build
from roftbench.config import Env
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.label_ratio import LabelRatio
from roftbench.errors import JobError, UsageError
from roftbench.job import NETWORK, Job
from roftbench.plan import Plan, Planned
from roftbench.progress import bar, logged
from roftbench.runner import run_job
from roftbench.sources import Places, Source, present
from roftbench.stages import FINISH, Needed
from roftbench.store import UNREADABLE, Record
from roftbench.workbench import choose_device

logger = logging.getLogger(__name__)

MEASURED = 256  # labels of an epoch that is measured: enough for a rate, no more than seconds
CPU = "cpu"
START = 1.0  # seconds a job spends on everything but fits, where no record says


@dataclass(frozen=True)
class Estimate:
    """Seconds that the open jobs of a plan take one after another, as far as that can be said.

    without: why it cannot be said, in words, and of how many jobs. fits: how many fits all open jobs need; shared: how
    many without doing one twice; kept: how many of these are in the store. measured: models of which an epoch was
    measured, because no record tells.
    """

    seconds: float
    without: dict[str, int]
    fits: int
    shared: int
    kept: int
    measured: tuple[str, ...]


def estimate(plan: Plan, records: Iterable[Record]) -> Estimate:
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
    networks = [one for one in plan.open if one.job.model.kind == NETWORK]
    fits = {need.key: one for one in networks for need in one.fits}
    kept = {key for key, one in fits.items() if one.store.stage_path(key).exists() and not one.env.run.rerun}
    spans = {
        need.key: units(need, one.job, size) * (rates.of(one).of(one.job.model.name, need.name) or 0.0)
        for one, size in sized
        for need in one.fits
        if need.key not in kept
    }
    seconds = sum(rates.of(one).start for one, _ in sized) + sum(spans.values())
    for one, _ in sized:
        if not one.fits:
            totals = rates.of(one).totals.get((one.job.model.name, str(one.job.dataset.name)))
            seconds += statistics.fmean(totals) if totals else 0.0
            if not totals:
                reasons.append(f"no record tells of {one.job.model.name} on {one.job.dataset.name}")
    needs = sum(len(one.fits) for one in networks)
    return Estimate(seconds, dict(Counter(reasons)), needs, len(fits), len(kept), measured)


@dataclass(frozen=True)
class Sizes:
    """Atoms in the training and the validation part of a job, and in a molecule of the data set on average."""

    train: int
    val: int
    mean: float


def _sized(jobs: Iterable[Planned]) -> tuple[list[tuple[Planned, Sizes]], list[str]]:
    """Return the jobs whose data and checkpoint are here with their sizes, and for each other job why it has none.

    Data sets are featurised if they were not.
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
        return 4.0 * int(job.method.params.get("epochs", 1)) * sizes.val
    return _work(sizes.train, sizes.val, need.stage.epochs or job.train.epochs, frozen=need.frozen)


def _work(train: float, val: float, epochs: int, *, frozen: bool) -> float:
    """The work of a stage on so many atoms or graphs of the training and the validation part."""
    return train + val if frozen else epochs * (3 * train + val)


class Rates:
    """Seconds a unit, by model and name of a stage; seconds a job, by model and data set; seconds beside the fits."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], tuple[float, float]] = {}
        self._starts: list[float] = []
        self.totals: dict[tuple[str, str], list[float]] = {}

    def add(self, model: str, stage: str, seconds: float, work: float) -> None:
        """Take note of what a stage of a model took."""
        before = self._spent.get((model, stage), (0.0, 0.0))
        self._spent[model, stage] = (before[0] + seconds, before[1] + work)

    def add_record(self, record: Record, atoms: dict[str, float]) -> None:
        """Take note of what a record says, if the mean number of atoms in a molecule of its data set is known."""
        try:
            self._add_record(record, atoms)
        except UNREADABLE as error:
            logger.warning("record %s says nothing of its time: %r is missing or wrong", record["key"], str(error))

    def _add_record(self, record: Record, atoms: dict[str, float]) -> None:
        job, seconds = record["job"], record["seconds"]
        name = job["dataset"]["name"]
        own = _own(seconds)
        self._starts.append(seconds["total"] - sum(own.values()))
        self.totals.setdefault((job["model"]["name"], name), []).append(seconds["total"])
        if name in atoms and not job["method"]["search"]:  # of a search only the chosen candidate's history is kept
            self.add_stages(record, atoms[name])

    def add_stages(self, record: Record, atoms: float) -> None:
        """Take note of what a record's stages took, with so many atoms in a molecule on average."""
        job, graphs = record["job"], record["count"]["graphs"]
        frozen = {one["name"]: one["frozen"] for one in record.get("stages", ())}  # older ones say nothing
        for stage, span in _own(record["seconds"]).items():
            if stage == FINISH:
                work = 4.0 * int(job["method"]["params"].get("epochs", 1)) * graphs["val"]
            elif stage in frozen:
                epochs = sum(one["stage"] == stage for one in record["history"])
                work = _work(graphs["train"], graphs["val"], epochs, frozen=frozen[stage])
            else:
                continue
            self.add(job["model"]["name"], stage, span, work * atoms)

    def knows(self, model: str) -> bool:
        """Tell whether a job of a model was seen."""
        return any(name == model for name, _ in self.totals) or self.of(model, "ft") is not None

    def of(self, model: str, stage: str) -> float | None:
        """Return seconds a unit; those of the model's other stages if this one was never seen; None if none was."""
        keys = [(model, stage)] if (model, stage) in self._spent else [key for key in self._spent if key[0] == model]
        work = sum(self._spent[key][1] for key in keys)
        return sum(self._spent[key][0] for key in keys) / work if work else None

    @property
    def start(self) -> float:
        """Seconds that a job spends on everything but fits."""
        return statistics.median(self._starts) if self._starts else START


class RatesByDevice:
    """What jobs took on processors and on GPUs: one says little of the other, but more than nothing."""

    def __init__(self) -> None:
        self._rates = {True: Rates(), False: Rates()}  # on a processor, on a GPU

    def add_record(self, record: Record, atoms: dict[str, float]) -> None:
        """Take note of what a record says of its kind of device."""
        self._rates[record.get("env", {}).get("device") == CPU].add_record(record, atoms)

    def of(self, one: Planned) -> Rates:
        """Return the rates of a job's kind of device, or of the other if only that one knows its model."""
        on_cpu = one.job.model.kind != NETWORK or _on_cpu(one.env)
        own, other = self._rates[on_cpu], self._rates[not on_cpu]
        return other if other.knows(one.job.model.name) and not own.knows(one.job.model.name) else own


def _on_cpu(env: Env) -> bool:
    return choose_device(env.run.device).type == CPU


def _own(seconds: dict[str, float]) -> dict[str, float]:
    """Return the seconds of the stages that a job has fitted itself."""
    return {stage: span for stage, span in seconds.items() if stage != "total" and "(" not in stage}


def _measure_missing(sized: Iterable[tuple[Planned, Sizes]], rates: RatesByDevice) -> tuple[str, ...]:
    """Measure one short epoch of each model that no record tells of, where parts are smallest; returns their names."""
    smallest: dict[str, tuple[Planned, Sizes]] = {}
    for one, size in sized:
        model = one.job.model.name
        if one.fits and rates.of(one).of(model, "ft") is None:
            smallest[model] = min(smallest.get(model, (one, size)), (one, size), key=_atoms)
    for one, size in smallest.values():
        epoch = one_epoch(one.job, one.env, few=size.train > MEASURED * size.mean)
        rates.of(one).add_stages(epoch, size.mean)
    return tuple(smallest)


def _atoms(item: tuple[Planned, Sizes]) -> int:
    return item[1].train + item[1].val


def one_epoch(job: Job, env: Env, *, few: bool = False) -> Record:
    """Return the record of one epoch of full fine-tuning, of few labels or all, run in a folder that is thrown away.

    Raises:
        JobError: it failed.
    """
    spec = replace(job.method, name="full_ft", target="roftbench.methods.full_ft.FullFT", params={}, search=False)
    job = replace(job, method=spec, train=replace(job.train, epochs=1))
    if few:
        job = replace(job, label_ratio=LabelRatio(count=MEASURED, val_budget="strict"))
    for _ in range(1 if _on_cpu(env) else 2):  # what a process does first on a GPU takes long: libraries are loaded
        with tempfile.TemporaryDirectory() as folder, logged(None, quiet=True):
            outcome = run_job(job, replace(env, results=Path(folder)))
        if outcome.status != "done":
            raise JobError(f"an epoch of model={job.model.name} could not be measured: {outcome.record['error']}")
    return outcome.record
