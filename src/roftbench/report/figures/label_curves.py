"""Label curves: scores of methods by number of training labels.

curve_groups(curves) -> [(names, rows)]       rows of each figure
draw_curves(rows, title, units) -> Figure     one panel per data set, one line per method
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from roftbench.config.method_cards import proposed
from roftbench.report.figures.style import appearance, style
from roftbench.report.format import baselines, method_name, method_order, metric_name
from roftbench.report.statistics.paired import curve_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUP = ["model", "split", "train", "variant"]
FULL = "full"  # the label ratio that has no variants
MOVED = "moved sideways to keep intervals visible"
_PANEL = (3.1, 2.5)  # inches
_COLUMNS = 3
_STEP = 0.009  # of the panel's width: the distance between methods at one number of labels
_APART = 0.11  # of the panel's width: ticks nearer to one another would have overlapping numbers
_Look = dict[str, Any]


def curve_groups(curves: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """Return the rows of each figure: those of a model, split, training setting and variant.

    All labels belong to every variant. The baselines with the same split, labels and versions are among the rows of
    each. Names: those of GROUP.
    """
    baselines = curves[curves["baseline"].astype(bool)]
    groups = []
    for key, family in curves[~curves["baseline"].astype(bool)].groupby(GROUP[:-1]):
        for variant in sorted(set(family["variant"][family["label_ratio"] != FULL])) or [""]:
            rows = family[(family["variant"] == variant) | (family["label_ratio"] == FULL)]
            beside = baselines[baselines["terms"].isin(rows["terms"]) & baselines["dataset"].isin(rows["dataset"])]
            names = dict(zip(GROUP, [*map(str, key), variant], strict=True))
            groups.append((names, pd.concat([rows, beside], ignore_index=True)))
    return groups


def curve_datasets(rows: pd.DataFrame) -> list[str]:
    """The data sets in which a method has two or more numbers of labels to be joined by a line; regression first."""
    drawn = _drawn(rows)
    points = drawn[~drawn["baseline"].astype(bool)].groupby(["task", "dataset", "method"])["labels"].nunique()
    found = {(task != "regression", dataset) for task, dataset, _ in points[points > 1].index}
    return [dataset for _, dataset in sorted(found)]


def draw_curves(rows: pd.DataFrame, title: str, units: Mapping[str, str] | None = None) -> "Figure":
    """Draw one of `curve_groups`: one panel per data set, one line per method.

    Points are means over folds or seeds, bars their 95 % intervals (none for one), the axis of labels is logarithmic. A
    method's points are moved a little sideways, so that bars do not hide one another. Points that lack seeds, or
    are undefined, are not drawn, and no line bridges them. Baselines are dotted black lines. `units`: of the
    targets, by data set, written where the metric has them.

    Raises ValueError if no method has two points to be joined.
    """
    datasets = curve_datasets(rows)
    if not datasets:
        raise ValueError("no method has scores at two numbers of labels")
    rows = rows[rows["dataset"].isin(datasets)]
    lines = _lines(_drawn(rows))
    columns = min(_COLUMNS, len(datasets))
    high = math.ceil(len(datasets) / columns)
    with style():
        from matplotlib.figure import Figure

        width = max(_PANEL[0] * columns, 5.4)
        legend_columns = max(1, min(5, len(lines), int(width / (0.7 + 0.08 * max(map(len, lines))))))
        note = _note(width, curve_note(_drawn(rows)), several=len(lines) > 1)
        height = _PANEL[1] * high + 0.8 + 0.19 * math.ceil(len(lines) / legend_columns) + 0.15 * note.count("\n")
        figure = Figure(figsize=(width, height), label=title)
        figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
        for place, dataset in enumerate(datasets):
            axes = figure.add_subplot(high, columns, place + 1)
            _panel(axes, rows[rows["dataset"] == dataset], lines, (units or {}).get(dataset, ""))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        _legend(figure, lines, legend_columns, note)
    return figure


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["complete"].astype(bool) & rows["mean"].notna()]


def _lines(rows: pd.DataFrame) -> dict[str, str]:
    """Label to method, in the paper's order, then the user's own, then the baselines, each with its model."""
    pairs = rows[["method", "model", "baseline"]].drop_duplicates().itertuples(index=False)
    order = sorted({(bool(b), method_order(m), m, model if b else "") for m, model, b in pairs})
    return {_label(method, model): method for _, _, method, model in order}


def _label(method: str, baseline_model: str) -> str:
    return " · ".join([method_name(method), *([baseline_model] if baseline_model else [])])


def _panel(axes: "Axes", rows: pd.DataFrame, lines: Mapping[str, str], unit: str) -> None:
    """Draw one data set: a line per method, and the names of the axes."""
    counts = sorted(rows["labels"].unique())
    decades = max(math.log10(counts[-1] / counts[0]), 0.3)
    models = rows["model"].where(rows["baseline"].astype(bool), "")
    labels = [_label(method, model) for method, model in zip(rows["method"], models, strict=True)]
    for place, (label, method) in enumerate(lines.items()):
        shift = 0.0 if method in baselines() else _STEP * decades * (place - (len(lines) - 1) / 2)
        line = rows[[each == label for each in labels]].sort_values("labels")
        _line(axes, pd.DataFrame({"labels": counts}).merge(line, on="labels", how="left"), method, 10**shift)
    axes.set_xscale("log")
    ticks = _ticks(counts, decades)
    axes.set_xticks(ticks, [f"{count:,}" for count in ticks])
    axes.set_xticks([], minor=True)
    margin = 10 ** (0.08 * decades)
    axes.set_xlim(counts[0] / margin, counts[-1] * margin)
    metric = str(rows["metric"].iloc[0])
    axes.set_title(str(rows["dataset"].iloc[0]), loc="left")
    axes.set_xlabel("training labels")
    axes.set_ylabel(f"test {metric_name(metric)}" + (f" ({unit})" if unit and metric in {"rmse", "mae"} else ""))


def _line(axes: "Axes", line: pd.DataFrame, method: str, shift: float) -> None:
    """The points of one method; where one is missing its value is NaN, which breaks the line."""
    look = _look(method)
    shown = line["complete"].eq(True)
    mean = line["mean"].where(shown).to_numpy()
    half = (line["high"] - line["low"]).where(shown).fillna(0).to_numpy() / 2
    width = 0.55 * float(look["linewidth"]) + 0.25
    order = 3 if method == proposed() else 2
    axes.errorbar(line["labels"].to_numpy() * shift, mean, yerr=half, elinewidth=width, zorder=order, **look)


def _look(method: str) -> _Look:
    look = appearance(method)
    sizes = {"linewidth": look.linewidth, "markersize": 8 if look.marker == "*" else 4.5}
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.4}
    return {"color": look.color, "marker": look.marker, "linestyle": look.linestyle, **sizes, **edge}


def _legend(figure: "Figure", lines: Mapping[str, str], columns: int, note: str) -> None:
    """All methods below the panels, under the note on what is drawn."""
    from matplotlib.lines import Line2D

    legend = figure.legend(
        handles=[Line2D([], [], label=label, **_look(method)) for label, method in lines.items()],
        loc="outside lower center",
        ncols=columns,
        title=note,
        title_fontproperties={"size": 8},
    )
    legend.get_title().set(color="#707070", ha="center")


def _note(width: float, said: str, *, several: bool) -> str:
    """Return what is drawn in words, on as many lines as a figure of `width` inches needs."""
    return ("; " if width > 8 or (width > 6 and len(said) < 60) else ";\n").join([said, *([MOVED] if several else [])])


def _ticks(counts: Sequence[int], decades: float) -> list[int]:
    """The numbers of labels that can be written below the axis without touching; the largest always."""
    ticks = [counts[-1]]
    for count in reversed(counts[:-1]):
        if math.log10(ticks[-1] / count) >= _APART * decades:
            ticks.append(count)
    return ticks[::-1]
