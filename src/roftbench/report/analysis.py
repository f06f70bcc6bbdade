"""Statistical evidence as files: comparison of a reference with each method, label curves, rank diagrams, costs."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from roftbench.config.registry import options
from roftbench.console import bar
from roftbench.formatting import printable
from roftbench.report.aggregate import cells
from roftbench.report.figures.cost import draw_cost
from roftbench.report.figures.critical_difference import draw_critical_difference
from roftbench.report.figures.gallery import Listed, gallery
from roftbench.report.figures.label_curves import GROUP, curve_datasets, curve_groups, draw_curves
from roftbench.report.figures.pairwise import draw_intervals, draw_pairs
from roftbench.report.figures.shift import draw_shift
from roftbench.report.figures.style import file_stem, remove_others, write_figure
from roftbench.report.format import METRIC_NAMES, csv_text, method_name, newest
from roftbench.report.row_means import block_shifts, row_means, with_cost, with_shift
from roftbench.report.statistics.comparison import comparison_frame, render_comparison, sections
from roftbench.report.statistics.contest import TUKEY, Contest
from roftbench.report.statistics.inside import render_inside, reportable, within_frame
from roftbench.report.statistics.paired import REFERENCE, friedman, label_curves
from roftbench.report.tables.shown import ShownTable
from roftbench.store.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


logger = logging.getLogger(__name__)

FEW = 30  # figures that are drawn by default; each takes seconds
CURVES, DIAGRAMS, PAIRS, INTERVALS = ("curves", "critical_difference", "pairs", "intervals")  # of file names
COSTS, SHIFTS = ("cost", "shift")
KINDS = (CURVES, DIAGRAMS, PAIRS, INTERVALS, COSTS, SHIFTS)


@dataclass(frozen=True)
class _Planned(Listed):
    """A figure to draw, with the function that does it."""

    draw: "Callable[[], Figure] | None" = None


def write_evidence(
    long: pd.DataFrame,
    folder: Path,
    reference: str = REFERENCE,
    *,
    contests: Sequence[Contest] = (),
    shown: Sequence[ShownTable] = (),
    delta: Mapping[str, float] | None = None,
    molecules: Sequence[str] = (),
    figures: bool | None = None,
    source: Sequence[str] = (),
) -> list[Path]:
    """Write comparisons and figures of a `long_table` into a folder, each file atomically; returns their paths.

    The files are comparison.md and .csv, within.csv, curves_<model>_<split>.svg and .pdf,
    critical_difference_<model>_<scope>.svg and .pdf, pairs_… and intervals_<model>_<split>_<labels>_<data set>.svg and
    .pdf, and cost_… and shift_<model>_<split>_<labels>_<task>.svg and .pdf where records hold these. What else
    differs between tables is part of a name. The reason for a missing figure is a line in comparison.md.

    Args:
        long: the `long_table` of the records.
        folder: where the files are written. Where figures are drawn, other figures of the same kinds are removed.
        reference: the method that is compared; where records have several of its protocols, the newest.
        contests: the columns of all tables, for comparisons inside each data set.
        shown: the rows of all tables, for cost and shifts.
        delta: smallest differences of interest by metric, 0 for none.
        molecules: paragraphs on comparisons over the molecules of a test set.
        figures: whether figures are drawn; None for at most FEW, with a warning where there are more, and none of
            pairs and intervals on one split.
        source: first and last paragraph of comparison.md.

    Raises:
        OSError: a file cannot be written.
    """
    table = cells(long)
    reference = newest(reference, table["method"])
    pictured = [one for one in reportable(contests) if figures or not one.one_split]
    costs = list(_costs(shown, long)) if figures is not False else []
    if figures is None:
        count = _expected(long, table, reference) + len(costs)
        figures = count <= FEW
        if not figures:
            logger.warning("about %d figures would take a while, so none is drawn; --figures draws them", count)
        elif count + 2 * len(pictured) > FEW:
            logger.warning("%d figures inside data sets are not drawn; --figures draws them", 2 * len(pictured))
            pictured = []
    planned = [*_curves(label_curves(long)), *_diagrams(table, reference)] if figures else []
    planned += [*costs, *_inside(pictured, delta or {})] if figures else []
    paths = []
    if drawn := {figure.stem for figure in planned if figure.draw}:
        remove_others(folder, KINDS, drawn)
    for figure in bar(planned, "figures", "figure"):
        paths += write_figure(figure.draw(), folder / figure.stem) if figure.draw else []
    frame = comparison_frame(table, reference)
    text = render_comparison(table, frame, reference).rstrip()
    inside = render_inside(contests, reference, delta or {})
    there = (table["method"] == reference).any()
    title = f"# {method_name(reference)} and the other methods" if there else "# Comparison of methods"
    pictures = ["## Figures", *gallery(planned)] if planned else []
    parts = [title, *source[:1], text, *inside, *molecules, *pictures, *source[1:]]
    write_text(folder / "comparison.md", printable("\n\n".join(parts)) + "\n")
    for name, rows in (("comparison.csv", frame), ("within.csv", within_frame(contests, delta or {}))):
        write_text(folder / name, csv_text(rows))
    return [*(folder / name for name in ("comparison.md", "comparison.csv", "within.csv")), *paths]


def _expected(long: pd.DataFrame, table: pd.DataFrame, reference: str) -> int:
    """Return the number of figures if no cell lacked seeds, without computing their contents, which takes seconds."""
    networks = long[~long["baseline"].astype(bool)]
    ratios = networks.groupby(GROUP[:-1])["label_ratio"].nunique()
    diagrams = sum(len(list(section.scopes())) for section in sections(table, reference))
    return int((ratios > 1).sum()) + diagrams


def _curves(curves: pd.DataFrame) -> Iterator[_Planned]:
    """Yield one figure per model, split, training setting and variant."""
    groups = curve_groups(curves)
    shown = [name for name in ("train", "variant") if len({names[name] for names, _ in groups}) > 1]
    units = {name: str(spec.get("units") or "") for name, spec in options("dataset").items()}
    for names, rows in groups:
        extra = [names[name] for name in shown if names[name]]
        title = " · ".join([names["model"], f"{names['split']} split", *extra])
        stem = file_stem(CURVES, names["model"], names["split"], *extra)
        if curve_datasets(rows):
            yield _Planned(stem, title, draw=partial(draw_curves, rows, title, units))
        else:
            yield _Planned(stem, title, reason="no data set has a method with all seeds at two numbers of labels")


def _diagrams(table: pd.DataFrame, reference: str) -> Iterator[_Planned]:
    """Yield one diagram per section and scope."""
    found = sections(table, reference)
    several = len({section.train for section in found}) > 1
    for section in found:
        for scope, rows in section.scopes():
            extra = [section.train] if several else []
            other = [METRIC_NAMES[name] for name in sorted(set(rows["metric"][rows["metric"] != rows["own"]]))]
            scored = [] if scope == "all" else [scope]
            title = " · ".join([section.model, *extra, *scored, "ranks over data sets", *other])
            stem = file_stem(DIAGRAMS, section.model, *extra, scope)
            result = friedman(rows)
            if isinstance(result, str):
                yield _Planned(stem, title, reason=result)
            else:
                yield _Planned(stem, title, draw=partial(draw_critical_difference, result, title))


def _costs(shown: Sequence[ShownTable], long: pd.DataFrame) -> Iterator[_Planned]:
    """Yield score against cost, and shifts, of each table with two rows or more of which they are known."""
    blocks = block_shifts(long)
    trains = len({table.rows[0]["train"] for table in shown}) > 1
    parts = ["model", "split", "label_ratio", *(["train"] if trains else []), "task"]
    for table in shown:
        means = row_means(table, blocks)
        fixed = [part for part in parts if len({row[part] for row in table.rows if not row["baseline"]}) == 1]
        names = [str(table.rows[0][part]) for part in fixed]
        title = " · ".join([table.title, *(means.datasets if len(means.datasets) == 1 else [names[-1]])])
        if len(with_cost(means)) > 1:
            yield _Planned(file_stem(COSTS, *names), f"{title} · cost", draw=partial(draw_cost, means, title))
        if len(with_shift(means)) > 1:
            yield _Planned(file_stem(SHIFTS, *names), f"{title} · shift", draw=partial(draw_shift, means, title))


def _inside(contests: Sequence[Contest], delta: Mapping[str, float]) -> Iterator[_Planned]:
    """Yield the matrix of pairs and the simultaneous intervals of each contest."""
    trains = len({one.parts["train"] for one in contests}) > 1
    parts = ["model", "split", "label_ratio", *(["train"] if trains else [])]
    unequal = "variances differ too much for Tukey's HSD"
    for one in contests:
        names = [*(one.parts[part] for part in parts if one.parts[part]), one.dataset]
        title, smallest = f"{one.dataset} · {one.table}", delta.get(one.metric)
        yield _Planned(file_stem(PAIRS, *names), title, draw=partial(draw_pairs, one, title, smallest))
        stem = file_stem(INTERVALS, *names)
        if one.test == TUKEY:
            yield _Planned(stem, title, draw=partial(draw_intervals, one, title, smallest))
        else:
            yield _Planned(stem, title, unequal)
