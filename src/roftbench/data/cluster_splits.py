"""Splits that keep similar molecules together, or later measurements apart from earlier ones."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roftbench.data.clusters import butina, chains, k_means, neighbors
from roftbench.data.similarity import similarity_report
from roftbench.data.split import Indices, Molecules, Split, Splitter, largest_first, share
from roftbench.errors import UsageError, check_range

GIANT = 0.5  # a cluster with more of the molecules is warned of
LOWER_CUTOFF = "lower split.cutoff"


@dataclass(frozen=True)
class _Clusters(Splitter):
    """Whole clusters, the largest first into train, as the scaffold split does with scaffolds."""

    remedy: ClassVar[str]  # of one giant cluster

    @abstractmethod
    def clusters(self, molecules: Molecules) -> Indices:
        """Return a cluster number per molecule, [N]."""

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split; its note states how many clusters there are, and how near test is to train."""
        clusters = self.clusters(molecules)
        split = largest_first(clusters, self.fractions)
        return replace(split, note=f"{cluster_note(clusters, self.remedy)}; {nearness_note(molecules, split)}")


@dataclass(frozen=True)
class ButinaSplit(_Clusters):
    """Clusters of Butina (1999) on ECFP4 bits: a center and all molecules within the Tanimoto distance `cutoff`."""

    remedy: ClassVar[str] = LOWER_CUTOFF
    cutoff: float = 0.65

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("cutoff", self.cutoff, 0, 1)

    def clusters(self, molecules: Molecules) -> Indices:
        """Return a cluster number per molecule, [N]."""
        return butina_clusters(molecules, self.cutoff)


@dataclass(frozen=True)
class KMeansSplit(_Clusters):
    """`num_clusters` clusters of k-means on ECFP4 bits, from centers drawn by `seed`."""

    seeded: ClassVar[bool] = True
    remedy: ClassVar[str] = "raise split.num_clusters"
    num_clusters: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("num_clusters", self.num_clusters, 2)

    def clusters(self, molecules: Molecules) -> Indices:
        """Return a cluster number per molecule, [N]."""
        return molecules.cached(
            f"k-means {self.num_clusters} {self.seed}",
            lambda: k_means(molecules.fingerprints(), self.num_clusters, self.seed),
        )


@dataclass(frozen=True)
class SimilaritySplit(_Clusters):
    """No molecule of one part is as similar to one of another part as `threshold` (Tanimoto of ECFP4 bits).

    Molecules that a chain of such pairs joins stay together.
    """

    remedy: ClassVar[str] = "raise split.threshold"
    threshold: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("threshold", self.threshold, 0, 1, open_low=True)

    def clusters(self, molecules: Molecules) -> Indices:
        """Return a cluster number per molecule, [N]."""
        return molecules.cached(
            f"chains {self.threshold}",
            lambda: chains(neighbors(molecules.fingerprints(), self.threshold, "similar molecules")),
        )


@dataclass(frozen=True)
class TimeSplit(Splitter):
    """The earliest molecules into train, the latest into test, by the dates in `column`; one date is never cut."""

    column: str = ""

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules.

        Raises:
            UsageError: a cell of the column is no date.
        """
        days = dates(molecules.cells or (), self.column, molecules.rows)
        order = np.argsort(days, kind="stable")
        total = len(order)
        later = np.flatnonzero(np.diff(days[order])) + 1  # where a part may begin
        ends = [share(sum(self.fractions[:count]), total) for count in (1, 2)]
        cuts = [int(later[later <= end].max(initial=0)) for end in ends]
        split = Split(order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] :])
        first = pd.Timestamp(days[split.test].min()).date() if len(split.test) else "none"
        return replace(split, note=f"test begins at {first}; {nearness_note(molecules, split)}")


def dates(cells: Sequence[str], column: str, rows: Indices) -> NDArray[np.datetime64]:
    """Return the dates in cells [N]: years, or dates with the year first (ISO 8601), in UTC where a zone is given.

    Raises:
        UsageError: a cell is neither.
    """
    texts = pd.Series([cell.strip() for cell in cells], dtype=str)
    texts = texts.where(~texts.str.fullmatch(r"\d{4}"), texts + "-01-01")
    texts = texts.where(texts.str.match(r"\d"), "")  # pandas reads "now" and "today" as dates
    found = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)  # zones may differ between cells
    if found.isna().any():
        at = int(np.flatnonzero(found.isna())[0])
        raise UsageError(
            f"split.column={column}: row {rows[at] + 1} holds '{cells[at][:40]}', which is no date. Write years or"
            " dates as 2024 or 2024-05-31, and drop rows without one",
            key="split.column",
            got=cells[at],
        )
    return np.asarray(found.dt.tz_localize(None).to_numpy(dtype="datetime64[s]"))


def butina_clusters(molecules: Molecules, cutoff: float) -> Indices:
    """Return the number of the Butina cluster of each molecule, [N]."""
    return molecules.cached(
        f"butina {cutoff}", lambda: butina(neighbors(molecules.fingerprints(), 1 - cutoff, "similar molecules"))
    )


def cluster_note(clusters: Indices, remedy: str, folds: int | None = None) -> str:
    """Return a line on the sizes of clusters [N], with a warning of one that holds most molecules or more than a fold.

    `remedy` ends the warning.
    """
    sizes = np.unique(clusters, return_counts=True)[1]
    part = sizes.max() / len(clusters)
    text = f"{len(sizes)} clusters, {(sizes == 1).sum()} of one molecule, the largest of {sizes.max()} ({part:.0%})"
    if part > GIANT:
        return f"{text}, so that the split can hardly follow the clusters: {remedy}"
    if folds is not None and part > 1 / folds:
        return f"{text}, more than one of {folds} folds, which differ in size: {remedy}"
    return text


def nearness_note(molecules: Molecules, split: Split) -> str:
    """Return a line on how near test molecules are to training molecules."""
    found = similarity_report(molecules.fingerprints(), split.train, split.test, "similarity of test to train")[
        "median"
    ]
    if found is None:
        return "train or test is empty"
    return f"the median test molecule has Tanimoto similarity {found:.2f} to its nearest training molecule"
