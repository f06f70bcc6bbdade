"""Learning curve over nested parts of the training molecules, and its extrapolation by a power law."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from roftbench.advise.significance import CONFIDENCE, standard_error
from roftbench.formatting import score_text
from roftbench.metrics import METRICS
from roftbench.report.figures.learning_curve import Line

SHARES = (
    0.5,
    0.25,
    0.7,
    0.35,
)  # of the training molecules of a fold, beside all, in the order in which they are judged
SIZES = 3  # least number of sizes of a curve
MORE = (100, 50, 20, 10)  # further labels that are asked about: the largest that no more than doubles their number
STEPS = 60  # points of the power law in a figure
MOST = 100.0  # times the present loss; what is beyond is not extrapolated


@dataclass(frozen=True)
class Point:
    """A size of a learning curve: mean number of training molecules, mean score over folds, lowest and highest."""

    molecules: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """Expected change of the loss by so many more labels, with its 95 % interval; negative is better."""

    labels: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """Learning curve of a candidate on the folds.

    Its loss (the score, or 1 − score where higher is better) is taken as b · n to the power of −exponent (Hestness et
    al. 2017, arXiv 1712.00409), whose exponent is fitted on each fold; the interval is that of the mean over folds,
    corrected for the training molecules that they share (Nadeau and Bengio 2003).

    Attributes:
        name: The candidate.
        method: Its method.
        metric: The metric.
        points: The sizes, ascending.
        now: Number of training molecules from which it is extrapolated.
        exponent: Mean over folds, None if there are too few sizes or a score is undefined.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    name: str
    method: str
    metric: str
    points: list[Point]
    now: int
    exponent: float | None = None
    low: float = math.nan
    high: float = math.nan

    @property
    def gain(self) -> Gain | None:
        """The change by more labels, None if the curve cannot be extrapolated."""
        more = next((count for count in MORE if count <= self.now), None)
        if self.exponent is None or more is None:
            return None
        return Gain(more, *(self.change(more, exponent) for exponent in (self.exponent, self.high, self.low)))

    def change(self, more: float, exponent: float) -> float:
        """Return the change of the loss by so many more labels if the curve has this exponent."""
        return self.loss(self.now + more, exponent) - self.loss(self.now, exponent)

    def loss(self, molecules: float, exponent: float) -> float:
        """Return the loss with so many training molecules, through the point of all of them."""
        last = self.points[-1]
        loss = _losses([last.mean], self.metric)[0]
        return loss * min(MOST, math.exp(-exponent * math.log(molecules / last.molecules)))

    def line(self) -> Line | None:
        """Return the power law from the least size to that with more labels, None if it cannot be extrapolated."""
        gain, first, last = self.gain, self.points[0].molecules, self.points[-1].molecules
        if gain is None or self.exponent is None:
            return None
        molecules = np.geomspace(first, max(last, self.now + gain.labels), STEPS)
        each = [[self.loss(size, one) for size in molecules] for one in (self.exponent, self.high, self.low)]
        mean, low, high = np.array(each) if self.sign > 0 else 1 - np.array(each)[[0, 2, 1]]
        return Line(molecules, mean, low, high)

    @property
    def sign(self) -> int:
        """1 if a lower score is better, else -1."""
        return METRICS[self.metric].sign

    def words(self) -> str:
        """Return the expected effect of more labels as a sentence."""
        gain = self.gain
        if gain is None:
            sizes = "one training size" if len(self.points) == 1 else f"{len(self.points)} training sizes"
            return (
                f"Whether more labels would help cannot be estimated: {self.name} was judged at {sizes}, and {SIZES}"
                " are needed."
            )
        low, high = (f"{value:+.2g}" for value in sorted((self.sign * gain.low, self.sign * gain.high)))
        about = f"about {self.sign * gain.mean:+.2g} {self.metric} (95 % interval {low} to {high})"
        said = f"{gain.labels} more labels: {about}"
        sizes = ", ".join(f"{score_text(point.mean)} with {point.molecules:.0f}" for point in self.points)
        start = f"{said}, from the learning curve of {self.name} ({sizes} molecules)"
        if gain.low < 0 < gain.high:
            return f"{start}; the interval contains 0, so the curve does not show whether more labels help."
        return f"{start}."


def fitted(
    name: str,
    method: str,
    metric: str,
    sizes: Mapping[float, Sequence[int]],
    scores: Mapping[float, Sequence[float | None]],
    now: int,
) -> LearningCurve:
    """Return the learning curve of scores by fold, for each share of the training molecules.

    Args:
        name: Name of the candidate.
        method: Name of its method.
        metric: Name of the metric.
        sizes: Numbers of training molecules by fold, by share.
        scores: Scores by fold, by share.
        now: Number of training molecules from which it is extrapolated.
    """
    points = []
    for share in sorted(scores):
        known = [score for score in scores[share] if score is not None]
        if known:
            points.append(Point(float(np.mean(sizes[share])), float(np.mean(known)), min(known), max(known)))
    curve = LearningCurve(name, method, metric, points, now)
    values = [value for share in scores for value in scores[share]]
    losses = _losses([value for value in values if value is not None], metric)
    if len(points) < SIZES or len(losses) < len(values) or min(losses) <= 0:
        return curve
    shares, folds = sorted(scores), range(len(next(iter(scores.values()))))
    slopes: list[float] = []
    for fold in folds:
        logs = np.log(_losses([scores[share][fold] or 0.0 for share in shares], metric))
        slopes.append(-float(np.polyfit(np.log([sizes[share][fold] for share in shares]), logs, 1)[0]))
    count, mean = len(slopes), float(np.mean(slopes))
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * standard_error(slopes, 1 / (count - 2))
    return LearningCurve(name, method, metric, points, now, mean, mean - width, mean + width)


def _losses(scores: Sequence[float], metric: str) -> list[float]:
    """Return scores as losses, lower is better; those of which higher is better are at most 1."""
    return [1 - score for score in scores] if METRICS[metric].higher_is_better else list(scores)
