"""Gaussian process on fingerprints (Tanimoto kernel) or embeddings (Gaussian kernel)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import minimize_scalar

from roftbench.errors import SkipJob, check_range
from roftbench.methods.estimator import Estimator, Labels, Predict, in_blocks
from roftbench.methods.kernels import Matrix, is_fingerprint, squared_distances, standardization, tanimoto

ROWS = 512  # queries at a time
NOISE = (1e-4, 1e3)  # range of the noise variance in units of the signal variance


@dataclass(frozen=True)
class GaussianProcess(Estimator):
    """Regression with a constant mean, a signal and a noise variance of largest marginal likelihood.

    The kernel has no parameter of its own: Tanimoto for bits and counts (Griffiths et al. 2023, GAUCHE), for
    standardized embeddings a Gaussian as wide as the median distance. So K + noise has the eigenvectors of K, and the
    optimum is found along one line (Rasmussen & Williams 2006, section 5.4.1). Classes are fitted as 0 and 1, and
    predictions are clipped (least-squares classification, section 6.5). Time grows as n³.
    """

    max_molecules: int = 5000

    def __post_init__(self) -> None:
        check_range("max_molecules", self.max_molecules, 1)

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Find the variances, and solve."""
        if len(y) > self.max_molecules:
            raise SkipJob(
                f"a Gaussian process takes time as n³: {len(y)} training molecules are more than"
                f" method.max_molecules={self.max_molecules}"
            )
        kernel = _Kernel.of(x)
        signal, noise = _variances(kernel(x, x), y - y.mean())
        numbers = np.array([y.mean(), signal, noise, kernel.width])
        return self.restored({"x": x, "y": y, "numbers": numbers}, task)

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return training features [n, D], labels [n], and numbers [4]: mean, signal, noise / signal, kernel width."""
        assert isinstance(predict, partial)
        return dict(predict.args[0].arrays)

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same predictions from the arrays."""
        return partial(_predict, Posterior(arrays), task == "classification")


class _Kernel(NamedTuple):
    """Tanimoto for fingerprints (width 0), a Gaussian for embeddings, which are standardized by the training ones."""

    center: Labels
    scale: Labels
    width: float

    @classmethod
    def of(cls, x: NDArray[Any], width: float | None = None) -> "_Kernel":
        center, scale = standardization(x)
        if is_fingerprint(x) or width is not None:
            return cls(center, scale, width or 0.0)
        squares = squared_distances((x - center) / scale, (x - center) / scale)[np.triu_indices(len(x), 1)]
        return cls(center, scale, float(np.median(squares)) if squares.any() else 1.0)

    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> Matrix:
        if not self.width:
            return tanimoto(a, b)
        squares = squared_distances((a - self.center) / self.scale, (b - self.center) / self.scale)
        return np.exp(-squares / (2 * self.width))


class Posterior:
    """What a fit predicts for new molecules: mean and standard deviation, noise included."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.x = arrays["x"]
        self.center, self.signal, self.noise, width = arrays["numbers"]
        self.kernel = _Kernel.of(self.x, float(width))
        self.factor = cho_factor(self.kernel(self.x, self.x) + self.noise * np.eye(len(self.x)), lower=True)
        self.weights = cho_solve(self.factor, arrays["y"] - self.center)

    def mean(self, x: NDArray[Any]) -> Labels:
        """Return the means of m molecules, [m]."""
        return np.asarray(self.center + self.kernel(x, self.x) @ self.weights)

    def deviation(self, x: NDArray[Any]) -> Labels:
        """Return the standard deviations of m measurements, [m], in the label's unit."""
        common = self.kernel(x, self.x)
        explained = (common * cho_solve(self.factor, common.T).T).sum(axis=1)
        return np.asarray(np.sqrt(self.signal * np.maximum(1 + self.noise - explained, 0)))


def _predict(posterior: Posterior, clipped: bool, x: NDArray[Any]) -> Labels:
    found = in_blocks(posterior.mean, ROWS, x)
    return found.clip(0, 1) if clipped else found


def _variances(kernel: Matrix, y: Labels) -> tuple[float, float]:
    """Return the signal variance and the noise variance over it that maximize the marginal likelihood of y [n]."""
    values, vectors = eigh(kernel)
    squares = (vectors.T @ y) ** 2
    if not squares.sum():
        return 0.0, 1.0

    def loss(log_noise: float) -> float:
        spectrum = np.maximum(values, 0) + np.exp(log_noise)
        return float(len(y) * np.log((squares / spectrum).mean()) + np.log(spectrum).sum())

    low, high = np.log(NOISE)
    starts = np.linspace(low, high, 33)  # the likelihood may have several maxima
    best = int(np.argmin([loss(one) for one in starts]))
    bounds = starts[max(best - 1, 0)], starts[min(best + 1, len(starts) - 1)]
    noise = float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))
    return float((squares / (np.maximum(values, 0) + noise)).mean()), noise
