"""Figures of single predictions as files, listed in predictions.md."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from roftbench.console import bar
from roftbench.errors import UsageError
from roftbench.formatting import printable
from roftbench.report.figures.classification import draw_calibration, draw_roc_pr
from roftbench.report.figures.gallery import Listed, gallery
from roftbench.report.figures.panels import Panel, labeled
from roftbench.report.figures.parity import draw_parity
from roftbench.report.figures.similarity_error import draw_similarity_error
from roftbench.report.figures.style import file_stem, remove_others, write_figure
from roftbench.report.predictions.groups import Group, count_groups, groups
from roftbench.report.predictions.load import Loaded
from roftbench.report.predictions.origin import Origins
from roftbench.store.files import write_text
from roftbench.store.results import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

FEW = 6  # groups that are drawn by default; each takes seconds
TARGETS = 4  # of a group that are drawn, those with most labels
PARITY, RESIDUALS, ROC_PR, CALIBRATION = KINDS = ("parity", "residuals", "roc_pr", "calibration")  # prefixes of names
TITLES = {
    PARITY: "Predicted against measured",
    RESIDUALS: "Error and similarity to training molecules",
    ROC_PR: "ROC and precision-recall curves",
    CALIBRATION: "Calibration",
}
LIST = "predictions.md"
_READING = (
    "Test predictions of single molecules beside their labels, all seeds and folds together. Shown are the best cell, "
    "the reference method and the best baseline of a data set, split and number of labels; scores are mean ± standard "
    "deviation over jobs, as in the leaderboard."
)


@dataclass(frozen=True)
class Picture(Listed):
    """A drawn figure, None where there is a reason against it."""

    figure: "Figure | None" = None


class Axis(NamedTuple):
    """Task of a figure of predictions, name of its target and unit of the labels, "" where it is not known."""

    task: str
    target: str
    units: str


def write_pictures(
    long: pd.DataFrame,
    table: pd.DataFrame,
    store: Store,
    origins: Origins,
    folder: Path,
    *,
    figures: bool | None = None,
    source: Sequence[str] = (),
) -> list[Path]:
    """Write the figures of a `long_table` and its `cells` into a folder, and predictions.md; returns their paths.

    Args:
        long: the `long_table` of the records.
        table: its `cells`.
        store: the records, whose predictions are read only for the shown cells.
        origins: the data files behind them.
        folder: where the files are written. Where figures are drawn, others of the same kinds are removed.
        figures: whether figures are drawn; None for at most FEW groups, with a warning where there are more.
        source: first and last paragraph of predictions.md.

    Raises:
        OSError: a file cannot be written.
    """
    if figures is None and (count := count_groups(long)) > FEW:
        logger.warning(
            "predictions of %d data sets, splits and numbers of labels would take a while to draw; --figures does",
            count,
        )
    if not (count_groups(long) <= FEW if figures is None else figures):
        return []
    paths: list[Path] = []
    listed: list[Listed] = []
    for group in bar(groups(long, table), "figures of predictions", "data set"):
        for one in pictures(group, store, origins):
            paths += write_figure(one.figure, folder / one.stem) if one.figure is not None else []
            listed.append(Listed(one.stem, one.title, one.reason))
    remove_others(folder, KINDS, {path.stem for path in paths})
    parts = ["# Predictions of single molecules", *source[:1], _READING, *gallery(listed), *source[1:]]
    write_text(folder / LIST, printable("\n\n".join(parts)) + "\n")
    return [folder / LIST, *paths]


def pictures(group: Group, store: Store, origins: Origins) -> Iterator[Picture]:
    """Yield the figures of a group, or the reasons why there is none."""
    names = [part for part in (group.dataset, group.split, group.label_ratio, group.suffix) if part]
    title = " · ".join([group.dataset, f"{group.split} split", group.label_ratio, *names[3:]])
    try:
        found = Loaded(group, store, origins)
    except UsageError as error:
        yield Picture(file_stem(kinds(group.task)[0], *names), title, reason=str(error))
        return
    several = len(found.labels.targets) > 1
    for target in found.targets[:TARGETS]:
        name = found.labels.targets[target]
        extra = [name] if several else []
        for kind in kinds(group.task):
            full = " · ".join([TITLES[kind], title, *extra])
            axis = Axis(group.task, name, found.labels.units)
            yield picture(kind, file_stem(kind, *names, *extra), full, found.panels(target), axis, found.unknown)


def kinds(task: str) -> tuple[str, ...]:
    """Return the kinds of figures of a task's predictions."""
    return (PARITY, RESIDUALS) if task == "regression" else (ROC_PR, CALIBRATION, RESIDUALS)


def picture(kind: str, stem: str, title: str, panels: Sequence[Panel], axis: Axis, unknown: str = "") -> Picture:
    """Return a figure of a kind, or the reason why there is none; `unknown` is why no similarity is known."""
    if kind == PARITY:
        return Picture(stem, title, figure=draw_parity(panels, title, axis.target, axis.units))
    if kind == CALIBRATION:
        return Picture(stem, title, figure=draw_calibration(panels, title, axis.target))
    if kind == ROC_PR:
        drawn = draw_roc_pr(panels, title)
        return Picture(stem, title, "" if drawn else "the test part of no job has both classes", drawn)
    if unknown:
        return Picture(stem, title, f"the training molecules are not known: {unknown}")
    classes = axis.task != "regression"
    error = "|probability − class|" if classes else labeled("|predicted − measured|", axis.target, axis.units)
    return Picture(stem, title, figure=draw_similarity_error(panels, title, error))
