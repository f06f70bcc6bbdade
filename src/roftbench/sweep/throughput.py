"""Throughput per model and stage, estimated from records.

A unit is one forward pass of one atom. Training costs three units per atom and epoch (forward, and twice as much for
the gradients), validation one; ROFT-MOL's coefficients cost four per atom of the validation part and epoch.
"""

import statistics
from typing import Any

from roftbench.runner.stages import FINISH
from roftbench.store.record_schema import RecordSummary

START = 1.0  # seconds that a job spends on everything but fits, without records


def work(train: float, val: float, epochs: int, *, frozen: bool) -> float:
    """Return the work of a stage, in units; train, val: atoms or graphs of the two parts."""
    return train + val if frozen else epochs * (3 * train + val)


def coefficients(params: dict[str, Any], val: float) -> float:
    """Return the work of learning interpolation coefficients, in units; val: atoms or graphs of the validation part."""
    return 4.0 * int(params.get("epochs", 1)) * val


class Rates:
    """Seconds per unit by model and stage, per job of an estimator, and of a job beside its fits."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, bool, str], tuple[float, float]] = {}  # by model, whether frozen, and stage
        self._starts: list[float] = []
        self._totals: dict[tuple[str, str, str, bool], list[float]] = {}  # by model, data set, method, whether searched

    def add(self, model: str, stage: str, seconds: float, units: float, *, frozen: bool = False) -> None:
        """Add the time of a stage of a model."""
        before = self._spent.get((model, frozen, stage), (0.0, 0.0))
        self._spent[model, frozen, stage] = (before[0] + seconds, before[1] + units)

    def add_record(self, record: RecordSummary, atoms: dict[str, float]) -> None:
        """Add the times of a record; atoms: mean number per molecule by data set, which its stages need."""
        job, seconds = record.job, record.seconds
        name = job["dataset"]["name"]
        own = _own(seconds)
        self._starts.append(seconds["total"] - sum(own.values()))
        method = job["method"]
        self._totals.setdefault((job["model"]["name"], name, method["name"], method["search"]), []).append(
            seconds["total"]
        )
        if name in atoms and not job["method"]["search"]:  # a search stores the history of the chosen candidate alone
            self.add_stages(record, atoms[name])

    def add_stages(self, record: RecordSummary, atoms: float) -> None:
        """Add the times of a record's stages; atoms: mean number per molecule."""
        job, graphs = record.job, record.count.graphs
        train, val = graphs.train or 0, graphs.val or 0
        frozen = {one.name: one.frozen for one in record.stages}  # empty in older records
        for stage, span in _own(record.seconds).items():
            if stage == FINISH:
                units = coefficients(job["method"]["params"], val)
            elif stage in frozen:
                units = work(train, val, record.epochs.get(stage, 0), frozen=frozen[stage])
            else:
                continue
            self.add(job["model"]["name"], stage, span, units * atoms, frozen=frozen.get(stage, False))

    def has(self, model: str) -> bool:
        """Return whether a job of a model was added."""
        return any(name == model for name, *_ in self._totals) or self.of(model, "ft") is not None

    def of(self, model: str, stage: str, *, frozen: bool = False) -> float | None:
        """Return seconds per unit of a stage, or of the model's other stages, or None if there are none.

        Stages with a frozen encoder, which runs once, do not stand in for trained ones.
        """
        own = [key for key in self._spent if key[0] == model]
        ways = ([key for key in own if key[1:] == (frozen, stage)], [key for key in own if key[1] == frozen])
        found = next(filter(None, ways), own if frozen else [])
        units = sum(self._spent[key][1] for key in found)
        return sum(self._spent[key][0] for key in found) / units if units else None

    def whole(self, model: str, dataset: str, method: str, *, search: bool) -> float | None:
        """Return the mean seconds of whole jobs of a method on a data set, or None if there are none."""
        found = self._totals.get((model, dataset, method, search))
        return statistics.fmean(found) if found else None

    @property
    def start(self) -> float:
        """Seconds that a job spends on everything but fits."""
        return statistics.median(self._starts) if self._starts else START


def _own(seconds: dict[str, float]) -> dict[str, float]:
    """Return the seconds of the stages that a job fitted itself, not those that it reused."""
    return {stage: span for stage, span in seconds.items() if stage != "total" and "(" not in stage}
