"""The points of figures: test predictions of a group's jobs beside labels and similarities to the training part."""

import numpy as np

from roftbench.errors import UsageError
from roftbench.report.figures.panels import Floats, JobPoints, Panel, sample
from roftbench.report.predictions.groups import Cell, Group
from roftbench.report.predictions.origin import Labels, Origins
from roftbench.store.record_schema import Record
from roftbench.store.results import Store

PAIRS = 50_000_000  # of test and training molecules, compared for a figure; beyond, a sample of the test molecules


class Loaded:
    """A group with its records and labels.

    Attributes:
        group: the group.
        labels: rows of its data file.
        targets: positions of the targets, those with most test labels first.
        unknown: why no similarity is known, "" if it is.
    """

    def __init__(self, group: Group, store: Store, origins: Origins) -> None:
        self.group, self._origins = group, origins
        self._records: dict[str, Record] = {}
        for key in (key for cell in group.cells for key in cell.keys):
            record = store.get(key)
            if record is not None and record.test_predictions is not None and record.test_predictions.row:
                self._records[key] = record
        if not self._records:
            raise UsageError("no record of these jobs has predictions", key="paths.results")
        self.labels: Labels = origins.labels(next(iter(self._records.values())))
        self.unknown = ""
        self._nearest: dict[str, Floats] = {}
        for key, record in self._records.items():
            self._nearest[key] = self._similarity(record)
        rows = np.concatenate([record.test_predictions.row for record in self._records.values()])  # type: ignore[union-attr]
        known = (~np.isnan(self.labels.y[rows])).sum(axis=0)
        self.targets = [int(target) for target in np.argsort(-known, kind="stable") if known[target]]

    def panels(self, target: int) -> list[Panel]:
        """Return the cells that have predictions of a target."""
        found = [(cell, self._points(cell, target)) for cell in self.group.cells]
        return [Panel(cell.name, cell.method, tuple(jobs)) for cell, jobs in found if jobs]

    def _points(self, cell: Cell, target: int) -> list[JobPoints]:
        jobs = []
        for key in cell.keys:
            if (record := self._records.get(key)) is None or record.test_predictions is None:
                continue
            rows = np.array(record.test_predictions.row)
            y = self.labels.y[rows, target]
            known = ~np.isnan(y)
            if known.any():
                prediction = np.array(record.test_predictions.prediction)[:, target]
                jobs.append(JobPoints(*(one[known] for one in (rows, y, prediction, self._nearest[key]))))
        return jobs

    def _similarity(self, record: Record) -> Floats:
        """Return the similarity of each test molecule [n] to its nearest training molecule, NaN if unknown."""
        rows = np.array(record.test_predictions.row)  # type: ignore[union-attr]
        found = np.full(len(rows), np.nan)
        same = next(
            (key for key, other in self._records.items() if key in self._nearest and _alike(record, other)), None
        )
        if self.unknown or same is not None:
            return self._nearest[same] if same is not None else found
        try:
            dataset, train = self._origins.dataset(record), self._origins.train(record)
            fingerprint = dataset.fingerprints()
        except UsageError as error:
            self.unknown = str(error)
            return found
        from roftbench.data.similarity import nearest  # here, as it imports torch, which takes seconds

        position = np.searchsorted(dataset.rows, rows)
        kept = sample(len(rows), max(1, PAIRS // (len(train) * len(self._records))))
        found[kept] = nearest(fingerprint[position[kept]], fingerprint[train], None)
        return found


def _alike(one: Record, other: Record) -> bool:
    """Return whether two jobs have the same training and test molecules."""
    return one.data.parts_sha256 is not None and one.data.parts_sha256 == other.data.parts_sha256
