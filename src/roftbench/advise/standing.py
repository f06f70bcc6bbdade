"""Inexpensive candidates in the order of their cost, and the leaderboard while a race runs."""

import math
from collections.abc import Sequence
from itertools import groupby

from roftbench.advise.candidates import Candidate, mean_of
from roftbench.formatting import score_text


def by_cost(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return the inexpensive candidates in groups: the baseline and fingerprints, then those that need an encoder."""
    quick = sorted(
        (one for one in candidates if one.quick),
        key=lambda one: (not one.baseline, not one.fingerprint, not one.estimator),
    )
    return [list(group) for _, group in groupby(quick, key=lambda one: one.baseline or one.fingerprint)]


def expected(one: Candidate, candidates: Sequence[Candidate]) -> float:
    """Return the duration of the longest job of an estimator with other features, infinite if there is none."""
    same = [other.seconds for other in candidates if other.quick and other.method == one.method]
    return max((seconds for seconds in same if seconds is not None), default=0.0 if one.fingerprint else math.inf)


def frozen(model: str, candidates: Sequence[Candidate], folds: int, sign: int) -> float:
    """Return the lowest loss of an encoder without fine-tuning, infinite if it was not judged on all folds."""
    judged = [one for one in candidates if one.quick and one.model == model and one.covers(folds)]
    return min((one.loss(sign, range(folds)) for one in judged), default=math.inf)


def standing(candidates: Sequence[Candidate], folds: int, metric: str, sign: int, used: str) -> list[str]:
    """Return the lines of a leaderboard of the candidates that were judged on the first `folds` folds."""
    judged = [one for one in candidates if one.covers(folds)]
    judged.sort(key=lambda one: one.loss(sign, range(folds)))
    head = f"  so far, mean {metric} over all {folds} folds ({used}):"
    return [head, *(f"    {one.name:<34} {score_text(mean_of(one, range(folds)), 4)}" for one in judged)]
