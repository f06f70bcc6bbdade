"""Comparison of one method with all others, as a table of numbers and as text.

sections(table) -> [Section]                           cells that are compared with one another
comparison_frame(table, reference) -> DataFrame        one row per section, scope, unit and rival
render_comparison(table, frame, reference) -> str      Markdown
"""

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roftbench.report.format import MISSING, by_reason, markdown_table, method_name, method_order, p_text
from roftbench.report.statistics.inference import ALPHA, MIN_INTERVAL, MIN_PAIRS
from roftbench.report.statistics.paired import (
    COLUMNS,
    MEAN_OF_OTHERS,
    REFERENCE,
    Friedman,
    Unit,
    compare,
    friedman,
    improvements,
)

ALL_MODELS = "all models"
UNITS: tuple[Unit, ...] = ("dataset", "block")  # what is tested comes first
_Row = dict[Any, Any]  # of a data frame
_GUIDE = """\
**How to read this.** A *block* is one model, split, label ratio, training setting and data set; it counts where both
methods have all seeds of their table and a defined mean. *Improvement* is how much better the mean test score of
{reference} over seeds is, in % of the other method's: the relative reduction of an error such as RMSE, the relative
rise of a score such as ROC-AUC. These are two scales, so regression and classification also stand apart.

Blocks of one data set share molecules and labels, so they are not independent: a test over blocks finds differences
where there are none several times more often than it says. Each test here is over *data sets*: the mean improvement
over a data set's blocks is one observation. *Wins / ties / losses* are those of {reference} over data sets. In
brackets: the 95 % bootstrap interval of the mean, for {interval} data sets or more. Intervals of few are too narrow (of
6, about 85 % hold the true mean, of 20 about 91 %), and they are not corrected for several rivals: the *verdict*
decides, not whether an interval leaves out 0. *p*: Wilcoxon's signed-rank test of the improvements, two-sided, ties
left out, none for fewer than {pairs} pairs; *Holm*: corrected for all rivals of a table (the mean of the others is one
question of its own). *Verdict*: whether {reference} is better or worse at {alpha}. "Not distinguishable" does not mean
equal: it means that these numbers cannot tell. A verdict is about data sets like these, with the splits and label
subsets that were drawn.

*Over blocks* the same numbers only describe what was run: nothing is tested there.

*Ranks*: the Friedman test asks whether any methods differ at all over data sets (its p is approximate, and rough for n
below 10). If so, two methods differ where their mean ranks, 1 being best, lie apart by the critical difference
(Nemenyi, {alpha}) or more; the last column lists the groups within which they do not."""
_COUNTS = ["Against", "n", "Wins / ties / losses", "Improvement, %", "Regression, %", "Classification, %"]
_TESTED = [*_COUNTS, "p", "Holm", "Verdict"]
_RANKS = ["Ranked over data sets", "n", "χ²", "p", "Critical difference", "Mean ranks", "Not distinguishable"]
EACH = (
    "Improvement in %, the mean over the blocks of a data set; in brackets, in how many of them {reference} is ahead."
)
NOTHING = "No model has two methods under one training setting: there is nothing to compare over data sets."
DESCRIBED = "Blocks of one data set are not independent. These counts describe what was run and are no evidence."


@dataclass(frozen=True)
class Section:
    """Cells of one model (or ALL_MODELS) and training setting that are compared; no baselines."""

    model: str
    train: str
    table: pd.DataFrame

    @property
    def title(self) -> str:
        """Return the name of a section."""
        return f"{self.model} · {self.train} training"

    def scopes(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield "all" and, where there are both, "regression" and "classification", with their cells."""
        tasks = sorted(self.table["task"].unique(), reverse=True)
        if len(tasks) > 1:
            yield "all", self.table
        for task in tasks:
            yield str(task), self.table[self.table["task"] == task]


def sections(table: pd.DataFrame, reference: str = REFERENCE) -> list[Section]:
    """Return a section for each training setting and model with two or more methods.

    Then one of all models that have the reference, if these are several.
    """
    networks = table[~table["baseline"].astype(bool)]
    found = []
    for train, trained in networks.groupby("train"):
        rivals = trained[trained.groupby("model")["method"].transform("nunique") > 1]
        found += [Section(str(model), str(train), rows) for model, rows in rivals.groupby("model")]
        pooled = rivals[rivals["model"].isin(rivals["model"][rivals["method"] == reference])]
        found += [Section(ALL_MODELS, str(train), pooled)] if pooled["model"].nunique() > 1 else []
    return found


def comparison_frame(table: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """Return `compare` for each section, scope and unit; first columns: train, model, scope, metric (of the scores).

    Rows of unit "dataset" hold the tests; those of unit "block" describe, without p, interval and verdict.
    Where there are several metrics, as each data set may have its own, blanks separate their names.
    """
    frames = [
        compare(rows, reference, unit).assign(
            train=section.train, model=section.model, scope=scope, metric=" ".join(sorted(set(rows["metric"])))
        )
        for section in sections(table, reference)
        for scope, rows in section.scopes()
        for unit in UNITS
    ]
    columns = ["train", "model", "scope", "metric", *COLUMNS]
    full = [frame for frame in frames if not frame.empty]
    return pd.concat(full, ignore_index=True)[columns] if full else pd.DataFrame(columns=columns)


def render_comparison(table: pd.DataFrame, frame: pd.DataFrame, reference: str = REFERENCE) -> str:
    """Return the results of `comparison_frame` and `friedman` as Markdown, with a guide to reading them."""
    words = {"reference": method_name(reference), "pairs": MIN_PAIRS, "interval": MIN_INTERVAL, "alpha": ALPHA}
    parts = [_GUIDE.format(**words)]
    found, baselines = sections(table, reference), table[table["baseline"].astype(bool)]
    for section in found:
        parts += [f"## {section.title}", *_section(section, frame, reference, set(baselines["method"]))]
    alone = sorted(set(table[~table["baseline"].astype(bool)]["model"]) - {section.model for section in found})
    parts += [] if found else [NOTHING]
    parts += [f"One method only, so nothing to compare: {', '.join(alone)}."] if alone else []
    return "\n\n".join(parts) + "\n"


def _section(section: Section, frame: pd.DataFrame, reference: str, baselines: Container[str]) -> Iterator[str]:
    if section.model == ALL_MODELS:
        yield f"Models: {', '.join(sorted(section.table['model'].unique()))}."
    if reference in baselines:
        yield f"{method_name(reference)} is a baseline: it is compared inside each data set, and not over data sets."
    elif reference not in set(section.table["method"]):
        yield f"There is no finished job of {method_name(reference)} to compare with the others."
    else:
        yield from _against_each(section, frame, reference)
    yield "### Ranks of all methods"
    yield from _ranks(section)


def _against_each(section: Section, every: pd.DataFrame, reference: str) -> Iterator[str]:
    scope = next(name for name, _ in section.scopes())
    here = every[(every["train"] == section.train) & (every["model"] == section.model) & (every["scope"] == scope)]
    datasets, blocks = (here[here["unit"] == unit] for unit in UNITS)
    name = method_name(reference)
    if not datasets["n"].any():
        yield f"No block has all seeds of {name} and of another method yet."
        return
    yield f"### {name} against each method, over data sets"
    yield markdown_table(_TESTED, [_tested(row, len(datasets)) for row in _ordered(datasets)])
    yield from _notes(_power(datasets))
    yield f"### {name} against each method, on each data set"
    yield _each_dataset(section.table, reference)
    yield EACH.format(reference=name)
    yield f"### {name} against each method, over blocks (descriptive)"
    yield markdown_table(_COUNTS, [_counts(row, len(blocks)) for row in _ordered(blocks)])
    yield from _notes([DESCRIBED, *_left_out(blocks)])


def _notes(notes: list[str]) -> list[str]:
    return ["\n".join(f"- {note}" for note in notes)] if notes else []


def _each_dataset(table: pd.DataFrame, reference: str) -> str:
    """Return a table of the improvements that the comparison averages: rows are rivals, columns data sets."""
    found = improvements(table, reference)
    datasets = sorted(found["dataset"].unique())
    cells = {
        (row["method"], row["dataset"]): f"{_percent(row['improvement'])} ({row['ahead']}/{row['blocks']})"
        for row in found.to_dict("records")
    }
    rivals = sorted(found["method"].unique(), key=method_order)
    rows = [[method_name(rival), *(cells.get((rival, name), MISSING) for name in datasets)] for rival in rivals]
    return markdown_table(["Against", *datasets], rows)


def _ordered(frame: pd.DataFrame) -> list[_Row]:
    """Return the rows of shipped methods in their order, then of others, then of the mean of all."""
    rows: list[_Row] = frame.to_dict("records")
    return sorted(rows, key=lambda row: (row["method"] == MEAN_OF_OTHERS, method_order(row["method"])))


def _counts(row: _Row, rows: int) -> list[str]:
    name = f"mean of the {rows - 1} others" if row["method"] == MEAN_OF_OTHERS else method_name(row["method"])
    changes = [row["improvement"], row["improvement_regression"], row["improvement_classification"]]
    return [name, str(row["n"]), f"{row['wins']} / {row['ties']} / {row['losses']}", *map(_percent, changes)]


def _tested(row: _Row, rows: int) -> list[str]:
    interval = "" if math.isnan(row["low"]) else f" [{row['low']:+.1f}, {row['high']:+.1f}]"
    *counts, improvement, regression, classification = _counts(row, rows)
    tests = [p_text(row["p"]), p_text(row["p_holm"]), row["verdict"]]
    return [*counts, improvement + interval, regression, classification, *tests]


def _left_out(frame: pd.DataFrame) -> list[str]:
    """Return the numbers of blocks that are left out, and the reasons."""
    reasons = {
        "incomplete": "Blocks left out because not both have all seeds",
        "undefined": "Blocks left out because a mean or its relative change is undefined",
    }
    notes = []
    for column, reason in reasons.items():
        rivals = [row for row in _ordered(frame) if row["method"] != MEAN_OF_OTHERS]
        if short := [f"{method_name(row['method'])} {row[column]}" for row in rivals if row[column]]:
            notes.append(f"{reason}: {', '.join(short)}.")
    return notes


def _power(frame: pd.DataFrame) -> list[str]:
    """Return a note where too few data sets are there for any significant difference."""
    rivals = int((frame["method"] != MEAN_OF_OTHERS).sum())
    n = int(frame["n"].max())
    needed = next(i for i in range(MIN_PAIRS, 64) if rivals * 2 / 2**i < ALPHA)
    if n >= needed:
        return []
    return [
        f"To tell one of {rivals} rivals apart takes {needed} data sets that all point one way, more than the {n} here."
    ]


def _ranks(section: Section) -> Iterator[str]:
    """Yield a table of the Friedman tests of a section, and the reasons for missing ones."""
    lines: list[list[str]] = []
    missing: list[tuple[str, str]] = []
    for scope, rows in section.scopes():
        result = friedman(rows)
        if isinstance(result, str):
            missing.append((scope, result))
        else:
            lines.append([scope, *_rank_line(result)])
    yield from [markdown_table(_RANKS, lines)] if lines else []
    yield from ["\n".join(by_reason("No Friedman test", missing))] if missing else []


def _rank_line(result: Friedman) -> list[str]:
    ranks = ", ".join(f"{method_name(method)} {rank:.2f}" for method, rank in result.ranks.items())
    groups = "; ".join(", ".join(map(method_name, group)) for group in result.groups) or "none"
    if result.p >= ALPHA:
        groups = "all: the test finds no difference"
    return [
        str(result.n),
        f"{result.statistic:.1f}",
        p_text(result.p),
        f"{result.critical_difference:.2f}",
        ranks,
        groups,
    ]


def _percent(value: float) -> str:
    text = MISSING if math.isnan(value) else f"{value:+.1f}"
    return text[1:] if text in {"+0.0", "-0.0"} else text
