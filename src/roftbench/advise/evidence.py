"""Predictions for the molecules of folds, each by a model that was not fitted to it, and figures of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from roftbench.advise.candidates import Candidate
from roftbench.advise.race_jobs import RaceJobs
from roftbench.data.similarity import nearest
from roftbench.formatting import printable_name
from roftbench.report.figures.panels import JobPoints, Panel
from roftbench.report.figures.style import file_stem
from roftbench.report.predictions.pictures import TARGETS, TITLES, Axis, Picture, kinds, picture


@dataclass(frozen=True)
class Evidence:
    """Panels of candidates that were judged on all folds of the first partition.

    Attributes:
        dataset: Name of the data set.
        task: "regression" or "classification".
        units: Unit of the labels, or "".
        panels: Panels by target, that with most labels first.
    """

    dataset: str
    task: str
    units: str
    panels: dict[str, list[Panel]]

    @classmethod
    def of(cls, jobs: RaceJobs, candidates: Sequence[Candidate]) -> "Evidence":
        """Return the panels of candidates; each fold is a job of the figure."""
        dataset, count = jobs.dataset, jobs.settings.folds
        folds = range(count)
        shown = [one for one in dict.fromkeys(candidates) if one.covers(count)]
        similarity: dict[int, float] = {}
        for fold in folds if shown else ():
            train, test = (
                np.searchsorted(dataset.rows, part) for part in (jobs.folds[fold].train, jobs.folds[fold].test)
            )
            fingerprint = dataset.fingerprints()
            similarity |= dict(
                zip(dataset.rows[test].tolist(), nearest(fingerprint[test], fingerprint[train], None), strict=True)
            )
        labels = (~np.isnan(dataset.y[jobs.folds.pool])).sum(axis=0)
        targets = [int(target) for target in np.argsort(-labels, kind="stable") if labels[target]][:TARGETS]
        panels: dict[int, list[Panel]] = {target: [] for target in targets}
        for one in shown:
            held_out = [jobs.blender.together([part.records[fold] for part in one.parts]) for fold in folds]
            for target in targets:
                points = []
                for part in held_out:
                    known = ~np.isnan(part.y[:, target])
                    rows = part.rows[known]
                    near = np.array([similarity[row] for row in rows.tolist()], np.float64)
                    points.append(JobPoints(rows, part.y[known, target], part.prediction[known, target], near))
                title = printable_name(one.name) if len(one.parts) == 1 else f"mean of {len(one.parts)} candidates"
                panels[target].append(Panel(title, one.parts[0].method, tuple(one for one in points if len(one.y))))
        found = {dataset.targets[target]: each for target, each in panels.items() if each}
        return cls(str(dataset.spec.name), str(dataset.spec.task), dataset.spec.units or "", found)

    def pictures(self) -> Iterator[Picture]:
        """Yield the figures: predicted against measured or ROC, calibration, and error against similarity."""
        for name, panels in self.panels.items():
            target = printable_name(name)
            names = [printable_name(self.dataset), *([target] if len(self.panels) > 1 else [])]
            for kind in kinds(self.task):
                title = " · ".join([TITLES[kind], *names, "out of fold"])
                yield picture(kind, file_stem(kind, *names), title, panels, Axis(self.task, target, self.units))
