"""Share of labels that the intervals of saved models hold: per task in left-out folds, and over all tasks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.saved_model import SavedModel


def fold_coverage(saved: Sequence[SavedModel]) -> list[float | None]:
    """Return the share of labels of left-out folds inside the intervals, per task, the mean over models."""
    unknown = [None] * len(saved[0].targets)
    each = [one.facts["calibration"]["test_coverage"] if "evaluation" in one.facts else unknown for one in saved]
    return [float(np.mean(shares)) if None not in shares else None for shares in zip(*each, strict=True)]


def fold_labels(saved: Sequence[SavedModel]) -> NDArray[np.float64]:
    """Return the number of labels of left-out folds per task, [T], the mean over models."""
    count: NDArray[np.float64] = np.mean([one.facts["calibration"]["count"] for one in saved], axis=0)
    return count


def pooled_share(shares: Sequence[float | None], labels: NDArray[np.floating | np.integer]) -> float | None:
    """Return the share of the labels of all tasks from that of each task; None where none is known."""
    known = [(share, count) for share, count in zip(shares, labels, strict=True) if share is not None]
    total = sum(count for _, count in known)
    return float(sum(share * count for share, count in known) / total) if total else None
