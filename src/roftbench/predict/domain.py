"""Whether a molecule is like the training molecules, by its similarity to the nearest of them."""

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from roftbench.data.similarity import Packed
from roftbench.predict.neighbors import nearest

NO, EDGE = 0.05, 0.20  # shares of molecules like the held-out ones that fall below the limits
LEAST = 19  # molecules: the fewest of which 5 % are one, by ranks
YES_WORD, EDGE_WORD, NO_WORD = "yes", "edge", "no"
HELD_OUT, TRAINING = "held-out molecules", "training molecules, each beside the others"


@dataclass(frozen=True)
class Domain:
    """Limits of the similarity to the nearest training molecule.

    A molecule drawn like the reference molecules is below `no` in at most 5 % of cases, and below `edge` in at most
    20 %: these are limits of a conformal p-value (Bates et al. 2023, Ann. Stat. 51, 149), the share of the reference
    molecules and the new one that are no more similar than the new one.

    Attributes:
        no: Similarity below which a molecule is outside.
        edge: Similarity below which it is at the edge.
        based_on: The reference molecules, in words.
        count: Their number.
    """

    no: float
    edge: float
    based_on: str
    count: int

    @classmethod
    def of(cls, held_out: NDArray[np.float64] | None, train: Packed) -> Self:
        """Return the limits from held-out molecules, or with few of them from the training molecules themselves.

        Args:
            held_out: Similarities of held-out molecules to their nearest training molecule, [M], None if unknown.
            train: Packed bits of the training molecules, [n, bytes].
        """
        if held_out is not None and len(held_out) >= LEAST:
            return cls(_limit(held_out, NO), _limit(held_out, EDGE), HELD_OUT, len(held_out))
        others = np.empty(0)
        if len(train) > 1:
            found = nearest(train, train, 2)
            itself = found.place == np.arange(len(train))[:, None]
            itself[~itself.any(axis=1), -1] = True  # behind two equal ones
            others = found.similarity[~itself]
        return cls(_limit(others, NO), _limit(others, EDGE), TRAINING, len(others))

    def __call__(self, similarity: NDArray[np.float64]) -> list[str]:
        """Return "yes", "edge" or "no" for each similarity, [M]."""
        words = (NO_WORD if one < self.no else EDGE_WORD if one < self.edge else YES_WORD for one in similarity)
        return list(words)

    def plain(self) -> dict[str, object]:
        """Return the limits as plain values."""
        return asdict(self)


def _limit(similarity: NDArray[np.float64], share: float) -> float:
    """Return the similarity below which a p-value is at most `share`; 0 with too few molecules for one."""
    place = int(share * (len(similarity) + 1) + 1e-9)
    return float(np.sort(similarity)[place - 1]) if place else 0.0
