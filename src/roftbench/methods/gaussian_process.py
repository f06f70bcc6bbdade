"""Gaussian process on fingerprints (Tanimoto kernel) or embeddings (Gaussian kernel)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh, solve_triangular
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

    protocol: ClassVar[int | None] = 2  # up to 1, features of embeddings that hardly vary could explode
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
        common = kernel(x, x)
        signal, noise = _variances(common, y - y.mean())
        numbers = np.array([y.mean(), signal, noise, kernel.width])
        return partial(
            _predict, Posterior({"x": x, "y": y, "numbers": numbers}, kernel, common), task == "classification"
        )

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return training features [n, D], labels [n], and numbers [4]: mean, signal, noise / signal, kernel width."""
        assert isinstance(predict, partial)
        return dict(predict.args[0].arrays)

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same predictions from the arrays."""
        x, width = arrays["x"], float(arrays["numbers"][3])
        kernel = _Kernel.of(x, width)
        return partial(_predict, Posterior(arrays, kernel, kernel(x, x)), task == "classification")

    def moments(self, predict: Predict, x: NDArray[Any]) -> tuple[Labels, Labels]:
        """Return means and standard deviations, noise included; NaN deviations where the labels do not vary."""
        assert isinstance(predict, partial)
        moments = predict.args[0].moments
        blocks = [moments(x[start : start + ROWS]) for start in range(0, len(x), ROWS)]
        mean, deviation = np.concatenate([np.empty((2, 0)), *blocks], axis=1)
        return mean, deviation


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
    """What a fit predicts for new molecules: mean and standard deviation, noise included.

    `common` [n, n] is the kernel of the n training molecules with themselves.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], kernel: _Kernel, common: Matrix) -> None:
        self.arrays, self.kernel = arrays, kernel
        self.x = arrays["x"]
        self.center, self.signal, self.noise, _ = arrays["numbers"]
        self.factor = cho_factor(common + self.noise * np.eye(len(self.x)), lower=True)
        self.weights = cho_solve(self.factor, arrays["y"] - self.center)

    def mean(self, x: NDArray[Any]) -> Labels:
        """Return the means of m molecules, [m]."""
        return self._mean(self.kernel(x, self.x))

    def moments(self, x: NDArray[Any]) -> Matrix:
        """Return the means of m molecules and the standard deviations of their measurements, [2, m].

        They are in the label's unit (Rasmussen & Williams 2006, eq. 2.25 and 2.26, plus the noise).
        """
        common = self.kernel(x, self.x)
        half = solve_triangular(self.factor[0], common.T, lower=True)  # [n, m]
        variance = self.signal * np.maximum(1 + self.noise - (half**2).sum(axis=0), 0)
        return np.stack([self._mean(common), np.sqrt(variance) if self.signal else np.full(len(x), np.nan)])

    def _mean(self, common: Matrix) -> Labels:
        return np.asarray(self.center + common @ self.weights)


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
