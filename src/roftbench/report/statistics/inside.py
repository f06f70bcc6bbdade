"""Rows of each table compared inside each data set, as a table of all pairs and as text.

within_frame(contests, delta) -> DataFrame              one row per contest and pair
render_inside(contests, reference, delta) -> [str]      parts of comparison.md
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby
from operator import attrgetter
from typing import Any

import pandas as pd

from roftbench.formatting import score_text
from roftbench.report.format import MISSING, markdown_table, method_name, metric_name, p_text
from roftbench.report.statistics.contest import MIN_SEEDS, NAMES, Contest, Versus, versus
from roftbench.report.statistics.repeated_measures import MAX_VARIANCE_RATIO, MOST_FOLDS

IN_FULL = 6  # contests of which comparison.md shows everything
IN_SHORT = 40  # contests that it shows at all
PARTS = ["table", "model", "split", "label_ratio", "train", "task", "dataset", "metric"]
TESTS = ["replicates", "n", "rows", "f", "p_anova", "variance_ratio", "test", "p_any"]
PAIR = ["first", "second", "first_mean", "second_mean", "first_best", "second_best"]
NUMBERS = ["difference", "low", "high", "p", "verdict", "corrected_low", "corrected_high", "effect_size"]
COLUMNS = [*PARTS, *TESTS, *PAIR, *NUMBERS, "delta", "p_equivalence", "needed"]
_GUIDE = f"""\
All rows of a table that have all its folds or seeds, baselines (†) included, on one data set. *F* and *p*:
repeated-measures ANOVA, whether any rows differ. *Ratio*: the largest variance of a row over the smallest. Up to
{MAX_VARIANCE_RATIO:g}, pairs are tested by Tukey's HSD, beyond it by Conover's test on ranks with Holm's correction,
*p* being Friedman's; what it tells apart has to differ by exact sign flips of the pair alone, too, which takes six
folds at least. *Cannot be told from the best* is what is bold in the leaderboards.

*Difference*: {{reference}} (the first of several; the best row, where it is missing) minus the row, in the metric's
unit; in brackets the interval that holds for all pairs of rows together. *Corrected*: the 95 % interval of this pair
alone, for folds corrected for the training molecules that they share (Nadeau–Bengio). *p*: corrected for all pairs.
*d*: the mean difference in standard deviations of the differences. {{equal}}*Needed*: how many folds, splits or
seeds would show {{aim}} to such a single interval with power 0.8; {MISSING}: more than {MOST_FOLDS}, as no repeat
removes what folds share.

Folds and splits have other test molecules. **Seeds and label subsets of one split have not: they say how training
varies, not how another split would turn out.** `within.csv` has all pairs."""
_OVERVIEW = ["Against", "Compared", "Better", "Not distinguishable", "Worse"]
_TESTED = ["Data set", "Over", "F", "p", "Ratio", "Test", "Cannot be told from the best"]
_EACH = ["Against", "Difference", "Corrected", "p", "d", "Needed", "Verdict"]


def reportable(contests: Sequence[Contest]) -> list[Contest]:
    """Return the contests of at least two folds, splits or subsets, or MIN_SEEDS seeds."""
    return [one for one in contests if one.tested and (one.kind != "seeds" or len(one.replicates) >= MIN_SEEDS)]


def within_frame(contests: Sequence[Contest], delta: Mapping[str, float]) -> pd.DataFrame:
    """Return all pairs of rows of each reportable contest; columns COLUMNS.

    `p_any` is the p of ANOVA or, with Conover's test, of Friedman's. `difference` is that of the means, first minus
    second, in the metric's unit; other numbers are those of `Versus`. Numbers have nine significant digits and p eight
    decimals, which all processors agree on.
    """
    rows = [row for contest in reportable(contests) for row in _pairs(contest, delta.get(contest.metric))]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(("delta", "needed"), float))
    for name in map(str, frame.select_dtypes("float")):
        of_p = name == "p" or name.startswith("p_")
        frame[name] = frame[name].round(8) if of_p else frame[name].map(lambda value: float(f"{value:.9g}"))
    return frame.astype({"needed": "Int64"})


def _pairs(contest: Contest, delta: float | None) -> Iterator[list[Any]]:
    named = [contest.table, *(contest.parts[part] for part in PARTS[1:5])]
    about = [contest.task, contest.dataset, contest.metric, contest.kind, *contest.scores.shape]
    tests = [contest.anova.f, contest.anova.p, contest.variance_ratio, contest.test, contest.omnibus]
    for i, j in combinations(range(len(contest.rows)), 2):
        found = versus(contest, i, j, delta)
        pair = [contest.rows[i].label, contest.rows[j].label, contest.means[i], contest.means[j]]
        best = [i in contest.best_set, j in contest.best_set]
        numbers = [found.difference, found.low, found.high, found.p, found.verdict]
        alone = [found.corrected_low, found.corrected_high, found.effect, delta or None, found.equivalence]
        yield [*named, *about, *tests, *pair, *best, *numbers, *alone, found.needed]


def render_inside(contests: Sequence[Contest], reference: str, delta: Mapping[str, float]) -> list[str]:
    """Return the parts of "Inside each data set" in Markdown; many contests are only counted."""
    found = reportable(contests)
    if not found:
        return []
    aimed = any(delta.values())
    equal = "*Equal*: p of the two one-sided tests that the difference lies within ±delta. " if aimed else ""
    aim = "a difference of delta" if aimed else "the observed difference"
    parts = ["## Inside each data set", _GUIDE.format(reference=method_name(reference), equal=equal, aim=aim)]
    if aimed:
        smallest = ", ".join(f"{value:g} {metric_name(metric)}" for metric, value in delta.items() if value)
        parts.append(f"Smallest differences of interest: {smallest}.")
    if len(found) > 1:
        parts += _overview(found, reference, delta)
    if len(found) > IN_SHORT:
        return [*parts, f"The {len(found)} columns are in `within.csv` only."]
    for (_, table), group in groupby(found, key=attrgetter("setting", "table")):
        parts += _table(str(table), list(group), reference, delta, full=len(found) <= IN_FULL)
    return parts


def against(contest: Contest, reference: str, delta: Mapping[str, float]) -> tuple[int, dict[int, Versus]]:
    """Return the row of the reference, or the best where it has none, and its comparison with each other row."""
    own = contest.reference(reference)
    smallest = delta.get(contest.metric)
    return own, {i: versus(contest, own, i, smallest) for i in range(len(contest.rows)) if i != own}


def _overview(contests: Sequence[Contest], reference: str, delta: Mapping[str, float]) -> list[str]:
    """Return how often the reference is better and worse than each row, over the columns of all tables."""
    counts: dict[str, list[str]] = {}
    for contest in contests:
        own, found = against(contest, reference, delta)
        if contest.rows[own].method == reference:
            for i, one in found.items():
                counts.setdefault(contest.rows[i].label, []).append(one.verdict)
    verdicts = ("better", "not distinguishable", "worse")
    lines = [[label, str(len(of)), *(str(of.count(one)) for one in verdicts)] for label, of in counts.items()]
    title = f"### {method_name(reference)} against each row, over the columns of all tables (a count, no test)"
    return [title, markdown_table(_OVERVIEW, lines)] if lines else []


def _table(
    title: str, contests: Sequence[Contest], reference: str, delta: Mapping[str, float], *, full: bool
) -> Iterator[str]:
    metrics = sorted({metric_name(one.metric) for one in contests})
    yield f"### {title} · {', '.join(metrics)}"
    yield markdown_table(_TESTED, [_tested(one) for one in contests])
    if out := [f"{label} ({one.dataset})" for one in contests for label in one.incomplete]:
        yield f"Left out, as seeds, folds or scores are missing: {', '.join(out)}."
    if full:
        for contest in contests:
            yield from _in_full(contest, reference, delta)
    else:
        yield _in_short(contests, reference, delta)


def _tested(contest: Contest) -> list[str]:
    f = contest.anova.f
    ratio = contest.variance_ratio
    return [
        contest.dataset,
        contest.count,
        MISSING if math.isnan(f) else f"{f:.2f}" if f < 1e4 else "> 10000",
        p_text(contest.omnibus),
        f"{ratio:.1f}" if ratio < 1e4 else "> 10000",
        contest.test,
        ", ".join(contest.rows[i].label for i in sorted(contest.best_set)),
    ]


def _in_full(contest: Contest, reference: str, delta: Mapping[str, float]) -> Iterator[str]:
    own, found = against(contest, reference, delta)
    smallest = delta.get(contest.metric)
    header = [*_EACH[:5], *(["Equal"] if smallest else []), *_EACH[5:]]
    lines = []
    for i, one in found.items():
        verdict = f"{one.verdict}, equal" if one.equal else one.verdict
        equal = [p_text(one.equivalence)] if smallest else []
        needed = MISSING if one.needed is None else f"{one.needed} {NAMES[contest.kind]}s"
        effect = MISSING if math.isnan(one.effect) else f"{one.effect:+.2f}"
        alone = _interval(one.corrected_low, one.corrected_high)
        difference = f"{signed(one.difference)} {_interval(one.low, one.high)}".strip()
        lines.append([contest.rows[i].label, difference, alone, p_text(one.p), effect, *equal, needed, verdict])
    row = contest.rows[own].label
    yield f"**{contest.dataset}: {row}** ({score_text(float(contest.means[own]))}) against each row"
    yield markdown_table(header, lines)


def _in_short(contests: Sequence[Contest], reference: str, delta: Mapping[str, float]) -> str:
    """Return a table of differences, a row per rival and a column per data set, with the verdict where there is one."""
    cells: dict[str, dict[str, str]] = {}
    names = {}
    for contest in contests:
        own, found = against(contest, reference, delta)
        names[contest.dataset] = f"{contest.rows[own].label}, {contest.dataset}"
        for i, one in found.items():
            words = [signed(one.difference), *([one.verdict] if one.verdict in ("better", "worse") else [])]
            words += ["equal"] if one.equal else []
            cells.setdefault(contest.rows[i].label, {})[contest.dataset] = " ".join(words)
    lines = [[label, *(found.get(name, MISSING) for name in names)] for label, found in cells.items()]
    return markdown_table(["Difference to", *names.values()], lines)


def signed(value: float) -> str:
    """Return a difference of scores with its sign and three significant digits."""
    return f"{value:+.3g}" if value else "0"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{signed(low)}, {signed(high)}]"
