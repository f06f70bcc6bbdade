"""Rows of one table compared on one data set, replicate by replicate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from roftbench.metrics import METRICS
from roftbench.report.statistics.inference import ALPHA, FloatArray
from roftbench.report.statistics.repeated_measures import (
    MAX_VARIANCE_RATIO,
    Anova,
    Pair,
    anova,
    best_of,
    best_set,
    conover,
    corrected_interval,
    effect_size,
    equivalent,
    folds_needed,
    tukey,
    variance_ratio,
)

Kind = Literal["folds", "splits", "subsets", "seeds"]
NAMES: dict[Kind, str] = {"folds": "fold", "splits": "split", "subsets": "label subset", "seeds": "seed"}
TUKEY, CONOVER = "Tukey HSD", "Conover–Friedman"
LARGEST = 1e100  # score of a test; those of trainings that diverged are beyond all comparison
MIN_SEEDS = 3  # of one split, from which rows are compared in words; two are too few even for the variation of training


def units(replicates: Iterable[str]) -> tuple[list[str], Kind]:
    """Return the units that are compared pairwise, in order, and how they differ: folds, splits or subsets, else seeds.

    Several seeds or label subsets of one fold or split, or seeds of one subset, are not independent: they are averaged,
    and count once.
    """
    replicates = list(replicates)
    kinds: tuple[Kind, ...] = ("folds", "splits", "subsets") if "@" in "".join(replicates) else ("splits", "subsets")
    for kind in kinds:
        names = list(dict.fromkeys(_unit(one, kind) for one in replicates))
        if len(names) > 1:
            return names, kind
    return replicates, "seeds"


def _unit(replicate: str, kind: Kind) -> str:
    """Return the part of a replicate that identifies a fold (of a split seed), a split or a label subset."""
    if kind == "seeds":
        return replicate
    seed, _, draw = replicate.partition("/")
    split, _, subset = draw.partition("/")
    return {"folds": f"{seed.partition('@')[2]}/{split}", "splits": split, "subsets": subset}[kind]


def by_unit(scores: Iterable[tuple[str, float]], kind: Kind) -> dict[str, float]:
    """Return the mean of the scores of each of the `units`, from the score of each replicate."""
    found: dict[str, list[float]] = {}
    for replicate, score in scores:
        found.setdefault(_unit(replicate, kind), []).append(score)
    return {name: sum(values) / len(values) for name, values in found.items()}


def test_share(split: Mapping[str, Any]) -> float:
    """Return the share of test molecules among those of training and test in a fold or split; NaN if not known.

    `split`: that of a job's identity.
    """
    params: Mapping[str, Any] = split.get("params", {})
    if params.get("fold") is not None:
        return 1 / int(params["folds"]) if params.get("folds") else np.nan
    train, _, test = params.get("fractions") or (0.8, 0.1, 0.1)
    return float(test / (train + test))


def shared_by(kind: Kind, share: float, count: int) -> float:
    """Return `share`, the `test_share`, of `count` folds or splits; 0 of replicates with the same test molecules."""
    return 0.0 if kind in ("seeds", "subsets") else 1 / count if np.isnan(share) else share


def can_be_tested(scores: FloatArray) -> bool:
    """Return whether scores [n, k] are of two replicates and two rows at least, none of which diverged."""
    return bool(min(scores.shape) >= 2 and np.abs(scores).max() < LARGEST)


@dataclass(frozen=True)
class Row:
    """A row as the table shows it: its label, method, and the setting that its cells belong to."""

    label: str
    method: str
    home: str


@dataclass(frozen=True, eq=False)
class Contest:
    """Scores [n, k] of the k complete rows of a table on one data set, in n replicates that all of them have.

    Attributes:
        table: the table's title without metric; `setting` and `task` identify it.
        parts: what its rows share: model, split, label ratio and training setting, "" where they do not.
        kind: what differs between replicates. "folds" of a cross-validation and other "splits" have other test
            molecules; "subsets" other training labels; "seeds" only vary training.
        test_share: the share of test molecules in a fold or split, 0 where all replicates have the same.
        incomplete: labels of rows that are left out because they lack a replicate or a defined score.
        constant: labels of rows that are left out because their score is the same in all folds, as the AUC of a null
            model is: a test of means does not apply to them.
    """

    table: str
    setting: str
    task: str
    parts: Mapping[str, str]
    dataset: str
    metric: str
    rows: tuple[Row, ...]
    replicates: tuple[str, ...]
    scores: FloatArray
    kind: Kind
    test_share: float
    incomplete: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()

    @property
    def sign(self) -> int:
        """-1 where a higher score is better, else 1."""
        return METRICS[self.metric].sign

    @property
    def tested(self) -> bool:
        """Whether there are several rows and replicates, with scores whose squares are numbers."""
        return can_be_tested(self.scores)

    @property
    def one_split(self) -> bool:
        """Whether all replicates have the same test molecules."""
        return self.kind in ("seeds", "subsets")

    @property
    def count(self) -> str:
        """The number of replicates in words."""
        n = len(self.replicates)
        return f"{n} {NAMES[self.kind]}{'s' * (n != 1)}"

    @cached_property
    def means(self) -> FloatArray:
        """Mean scores [k]."""
        means: FloatArray = self.scores.mean(axis=0)
        return means

    @property
    def best(self) -> int:
        """The row with the best mean, or with CONOVER the best mean rank."""
        return best_of(self.scores, self.sign < 0) if self.tested else int((self.means * self.sign).argmin())

    @cached_property
    def best_set(self) -> frozenset[int]:
        """The rows that are not distinguishable from the best; empty where nothing can be tested."""
        return best_set(self.scores, self.sign < 0) if self.tested else frozenset()

    @cached_property
    def anova(self) -> Anova:
        """The repeated-measures ANOVA."""
        return anova(self.scores)

    @cached_property
    def variance_ratio(self) -> float:
        """The largest variance of a row over the smallest."""
        return variance_ratio(self.scores)

    @property
    def test(self) -> str:
        """The test of pairs: TUKEY, or CONOVER where variances differ too much."""
        return TUKEY if self.variance_ratio <= MAX_VARIANCE_RATIO else CONOVER

    @cached_property
    def omnibus(self) -> float:
        """The p of the test whether any rows differ: ANOVA's with TUKEY, Friedman's with CONOVER."""
        return self.anova.p if self.test == TUKEY else self._conover[0]

    @cached_property
    def pairs(self) -> dict[tuple[int, int], Pair]:
        """All pairs of rows by `test`; differences and intervals of CONOVER are those of mean ranks."""
        found = tukey(self.scores) if self.test == TUKEY else self._conover[1]
        return {(pair.first, pair.second): pair for pair in found}

    @cached_property
    def _conover(self) -> tuple[float, list[Pair]]:
        return conover(self.scores)

    def reference(self, method: str) -> int:
        """Return the row of a method, the first of several; the best row of all where it has none.

        Not the best of several: it would be chosen by test scores, which flatter it.
        """
        return next((i for i, row in enumerate(self.rows) if row.method == method), self.best)


@dataclass(frozen=True)
class Versus:
    """One row against another; numbers are NaN where they cannot be computed.

    Attributes:
        difference: of the means, in the metric's unit.
        low, high: interval that holds for all pairs together (Tukey); NaN with Conover's test.
        p: corrected for all pairs; with Conover's test the larger of its own and that of the pair alone.
        corrected_low, corrected_high: interval of this pair alone, corrected for training molecules that folds share
            (Nadeau–Bengio); Student's where replicates have the same test molecules.
        effect: Cohen's d of the paired differences.
        equivalence: p of the two one-sided tests that the difference lies within the smallest one of interest.
        needed: replicates that would show the smallest difference of interest, or the observed one, with power 0.8;
            None where no number would.
        verdict: of the first row, "better", "worse" or "not distinguishable"; with Conover's test by the ranks, which
            the means may contradict where one score is far off.
    """

    difference: float
    low: float
    high: float
    p: float
    corrected_low: float
    corrected_high: float
    effect: float
    equivalence: float
    needed: int | None
    verdict: str

    @property
    def equal(self) -> bool:
        """Whether the two are practically equal, by the smallest difference of interest."""
        return self.equivalence < ALPHA


def versus(contest: Contest, first: int, second: int, delta: float | None = None) -> Versus:
    """Compare two rows of a tested contest; `delta`: the smallest difference of interest, in the metric's unit."""
    swapped = first > second
    pair = contest.pairs[(second, first) if swapped else (first, second)]
    low, high = (-pair.high, -pair.low) if swapped else (pair.low, pair.high)
    if contest.test == CONOVER:
        low = high = np.nan
    each = contest.scores[:, first] - contest.scores[:, second]
    difference, share = float(each.mean()), contest.test_share
    apart = pair.decisive < ALPHA and (contest.test == TUKEY or contest.omnibus < ALPHA)
    tested = -pair.difference if swapped else pair.difference  # of the means, or of the mean ranks
    better = "better" if tested * contest.sign < 0 else "worse"
    return Versus(
        difference,
        low,
        high,
        pair.decisive,
        *corrected_interval(each, share),
        effect_size(each),
        equivalent(each, delta, share) if delta else np.nan,
        folds_needed(each, delta or difference, share),
        better if apart else "not distinguishable",
    )
