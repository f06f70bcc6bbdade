"""Tables whose rows are models, to compare how pretrained models transfer under one method."""

import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from roftbench.formatting import printable
from roftbench.metrics import METRICS
from roftbench.report.aggregate import complete_losses
from roftbench.report.format import MISSING, amount, csv_text, markdown_table, method_name, metric_name, rank, score
from roftbench.report.statistics.contest import can_be_tested
from roftbench.report.statistics.inference import ALPHA
from roftbench.report.statistics.repeated_measures import best_set
from roftbench.report.tables.board import every_replicate
from roftbench.report.tables.contests import complete_scores
from roftbench.report.tables.footnotes import shows_spread, spread_notes
from roftbench.report.tables.seen import BASELINE, mark_of, seen_notes
from roftbench.store.files import write_text

GROUP = ["method", "split", "train"]  # one table each
COLUMN = ["dataset", "label_ratio"]
REFERENCE = "scratch"
_Row = dict[Any, Any]  # of a data frame
LEGEND = f"""\
Rows are models. Cells: mean ± standard deviation (ddof 0; none of one seed) of the test score over seeds, and the
number of seeds; **bold** is what cannot be told from the best of its column at {ALPHA} (Tukey HSD or Conover–Friedman
over seeds or folds, as in comparison.md; of one seed nothing is bold); `3/5` lacks seeds that other models of the
column have, and is not averaged or ranked.
`rank`: average over the columns in which every model of the table has a score. `beats {REFERENCE}`: in how many of the
columns that both have the mean is better than that of random weights."""


def by_model(table: pd.DataFrame) -> pd.DataFrame:
    """Return `cells` arranged for comparing models, with rank and wins; baselines are repeated for each method.

    Columns: method, split, train, model, dataset, label_ratio, metric, mean, std, n, replicates (those of the cell,
    separated by blanks), n_expected (seeds that any model of the column has), rank (over models, within the column;
    NaN where seeds are missing), best (whether it cannot be told from the best of the column), average_rank (NaN for a
    model that lacks a column), wins and compared (against `scratch`).
    """
    kept = [*GROUP, "model", *COLUMN, "metric", "mean", "std", "n", "replicates", "scores"]
    frame = _with_baselines(table)[kept].sort_values([*GROUP, *COLUMN, "model"], ignore_index=True)
    every = frame.groupby([*GROUP, *COLUMN])["replicates"].transform(every_replicate)
    frame["n_expected"] = [len(text.split()) for text in every]
    loss = complete_losses(frame)
    frame["rank"] = loss.groupby([frame[name] for name in [*GROUP, *COLUMN]]).rank()
    columns = frame.groupby([*GROUP, *COLUMN, every])
    best = [row for (*_, expected), column in columns for row in _best(column, str(expected).split())]
    frame["best"] = frame.index.isin(best)
    models = frame.groupby(GROUP)["model"].transform("nunique")
    shared = frame["rank"].notna() & (frame.groupby([*GROUP, *COLUMN])["rank"].transform("count") == models)
    ranks = frame["rank"].where(shared).groupby([frame[name] for name in [*GROUP, "model"]])
    frame["average_rank"] = ranks.transform("mean")
    reference = frame.assign(loss=loss)[frame["model"] == REFERENCE][[*GROUP, *COLUMN, "loss"]]
    other = frame[[*GROUP, *COLUMN]].merge(reference, on=[*GROUP, *COLUMN], how="left")["loss"]
    rival = frame["model"] != REFERENCE
    for name, each in (("wins", loss < other), ("compared", other.notna() & loss.notna())):
        frame[name] = (each & rival).groupby([frame[key] for key in [*GROUP, "model"]]).transform("sum")
    return frame.drop(columns="scores")


def _best(column: pd.DataFrame, expected: Sequence[str]) -> "pd.Index[int]":
    """Return the rows of a column that cannot be told from its best; none where nothing can be tested."""
    complete = complete_scores(column.to_dict("records"), expected)
    if not can_be_tested(complete.scores):
        return column.index[:0]
    found = best_set(complete.scores, METRICS[column["metric"].iloc[0]].higher_is_better)
    return column.index[[complete.kept[i] for i in sorted(found)]]


def render(frame: pd.DataFrame) -> str:
    """Return one Markdown table for each method, split, training setting and metric of `by_model`."""
    blocks = [LEGEND]
    rows: list[_Row] = frame.to_dict("records")
    for (method, split, train), group in groupby(rows, key=itemgetter(*GROUP)):
        blocks.append(f"## {method_name(str(method))} · {split} split · {train} training")
        blocks.append(_table(cells := list(group)))
        notes = spread_notes(row for row in cells if shows_spread(row))
        blocks += [f"- {note}" for note in [*notes, *seen_notes(cells)]]
    return "\n\n".join(blocks) + "\n"


def write_models(frame: pd.DataFrame, folder: Path, source: Sequence[str] = ()) -> list[Path]:
    """Write models.md and models.csv into a folder, each replaced as a whole; returns their paths.

    `source`: first and last paragraph of models.md.
    """
    parts = ["# Models", *source[:1], render(frame).rstrip(), *source[1:]]
    write_text(folder / "models.md", printable("\n\n".join(parts)) + "\n")
    write_text(folder / "models.csv", csv_text(frame))
    return [folder / "models.md", folder / "models.csv"]


def _with_baselines(table: pd.DataFrame) -> pd.DataFrame:
    """Return the cells with baselines repeated per network method, where split, labels and data set are the same."""
    networks, baselines = table[~table["baseline"]], table[table["baseline"]]
    if networks.empty:
        return table
    shared = ["split", "terms", "dataset"]
    places = networks[[*GROUP, "terms", "dataset"]].drop_duplicates()
    named = baselines.assign(model=baselines["model"] + BASELINE + baselines["method"]).drop(
        columns=["method", "train"]
    )
    return pd.concat([networks, places.merge(named, on=shared)], ignore_index=True)


def _table(rows: list[_Row]) -> str:
    """Return one Markdown table of rows that share method, split and training settings."""
    at = {(row["model"], row["dataset"], row["label_ratio"]): row for row in rows}
    columns = sorted({(row["dataset"], amount(row["label_ratio"]), row["label_ratio"], row["metric"]) for row in rows})
    models = {row["model"]: row for row in rows}
    several = len(models) > 1  # a single model is not ranked
    order = sorted(models, key=lambda model: (math.isnan(place := models[model]["average_rank"]), place, model))
    header = [f"{name} {ratio} ({metric_name(metric)})" for name, _, ratio, metric in columns]
    lines = []
    for model in order:
        row = models[model]
        wins = f"{row['wins']}/{row['compared']}" if row["compared"] else MISSING
        places = ((name, ratio) for name, _, ratio, _ in columns)
        cells = (_cell(at.get((model, *place))) for place in places)
        lines.append([model, *cells, *([rank(row), wins] if several else [])])
    return markdown_table(["model", *header, *(["rank", f"beats {REFERENCE}"] if several else [])], lines)


def _cell(row: _Row | None) -> str:
    if row is None:
        return MISSING
    if row["n"] < row["n_expected"]:
        return f"{row['n']}/{row['n_expected']}{mark_of(row)}"
    shown = f"{score(row)}{mark_of(row)}"
    return f"**{shown}**" if row["best"] else shown
