"""How long a unit of work took before: seconds a stage of a model, as records tell.

A unit is one forward pass of one atom. Training costs three of them an atom and epoch (forward, and twice as much for
the gradients), validating one; ROFT-MOL's coefficients cost four an atom of the validation part and epoch.
"""

import statistics
from typing import Any

from roftbench.runner.stages import FINISH
from roftbench.store.record_schema import RecordSummary

START = 1.0  # seconds a job spends on everything but fits, where no record says


def work(train: float, val: float, epochs: int, *, frozen: bool) -> float:
    """The work of a stage on so many atoms or graphs of the training and the validation part."""
    return train + val if frozen else epochs * (3 * train + val)


def coefficients(params: dict[str, Any], val: float) -> float:
    """The work of what a method learns from so many atoms or graphs of the validation part."""
    return 4.0 * int(params.get("epochs", 1)) * val


class Rates:
    """Seconds a unit, by model and name of a stage; seconds a job, by model and data set; seconds beside the fits."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, bool, str], tuple[float, float]] = {}  # by model, whether frozen, and stage
        self._starts: list[float] = []
        self.totals: dict[tuple[str, str], list[float]] = {}

    def add(self, model: str, stage: str, seconds: float, units: float, *, frozen: bool = False) -> None:
        """Take note of what a stage of a model took."""
        before = self._spent.get((model, frozen, stage), (0.0, 0.0))
        self._spent[model, frozen, stage] = (before[0] + seconds, before[1] + units)

    def add_record(self, record: RecordSummary, atoms: dict[str, float]) -> None:
        """Take note of what a record says, if the mean number of atoms in a molecule of its data set is known."""
        job, seconds = record.job, record.seconds
        name = job["dataset"]["name"]
        own = _own(seconds)
        self._starts.append(seconds["total"] - sum(own.values()))
        self.totals.setdefault((job["model"]["name"], name), []).append(seconds["total"])
        if name in atoms and not job["method"]["search"]:  # of a search only the chosen candidate's history is kept
            self.add_stages(record, atoms[name])

    def add_stages(self, record: RecordSummary, atoms: float) -> None:
        """Take note of what a record's stages took, with so many atoms in a molecule on average."""
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

    def knows(self, model: str) -> bool:
        """Tell whether a job of a model was seen."""
        return any(name == model for name, _ in self.totals) or self.of(model, "ft") is not None

    def of(self, model: str, stage: str, *, frozen: bool = False) -> float | None:
        """Return seconds a unit; those of the model's other stages if this one was never seen; None if none was.

        A frozen encoder runs once, and what its head takes says nothing of a training: it stands in for no other.
        """
        own = [key for key in self._spent if key[0] == model]
        ways = ([key for key in own if key[1:] == (frozen, stage)], [key for key in own if key[1] == frozen])
        found = next(filter(None, ways), own if frozen else [])
        units = sum(self._spent[key][1] for key in found)
        return sum(self._spent[key][0] for key in found) / units if units else None

    @property
    def start(self) -> float:
        """Seconds that a job spends on everything but fits."""
        return statistics.median(self._starts) if self._starts else START


def _own(seconds: dict[str, float]) -> dict[str, float]:
    """Return the seconds of the stages that a job has fitted itself."""
    return {stage: span for stage, span in seconds.items() if stage != "total" and "(" not in stage}
