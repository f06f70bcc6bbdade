"""What the held-out molecules of saved models tell of their predictions: intervals, calibration, sets, domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.calibration import platt
from roftbench.predict.conformal import Intervals
from roftbench.predict.domain import Domain
from roftbench.predict.held_out import HeldOut, pooled
from roftbench.predict.prediction_sets import thresholds
from roftbench.predict.saved_model import SavedModel


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of models that predict together.

    Attributes:
        intervals: Intervals of a regression, None for classes.
        calibration: Slopes and offsets of the logits of classes, [T, 2], or half widths of intervals of one width, [T].
        limits: Thresholds of conformal sets of classes, [T, 2], None for a regression.
        domain: Limits of `in_domain`; None with models of earlier versions.
    """

    intervals: Intervals | None
    calibration: NDArray[np.float64]
    limits: NDArray[np.float64] | None
    domain: Domain | None

    @classmethod
    def of(cls, saved: Sequence[SavedModel], *, named: bool) -> Self:
        """Return that of a single model as its folder has it, or of several from all their held-out molecules.

        Args:
            saved: The models.
            named: Whether all of them hold their training molecules.
        """
        held_out = saved[0].val if len(saved) == 1 else pooled([(one.data, one.val) for one in saved])
        single = saved[0].facts if len(saved) == 1 else {}
        domain = _domain(saved, single, held_out) if named else None
        found = single.get("calibration")
        if saved[0].task == "regression":
            plain = None if found is None else (found["half_width"], found.get("intervals"))
            intervals = Intervals.of(held_out) if plain is None else Intervals.of_plain(*plain)
            return cls(intervals, intervals.constant, None, domain)
        maps = platt(held_out) if found is None else np.array(found["slope_and_offset"], dtype=np.float64)
        return cls(None, maps, thresholds(held_out), domain)


def _domain(saved: Sequence[SavedModel], single: dict[str, object], held_out: HeldOut) -> Domain:
    if isinstance(found := single.get("domain"), dict):
        return Domain(**found)
    molecules: dict[tuple[str, int], NDArray[np.uint8]] = {}
    for one in saved:
        assert one.training is not None
        molecules |= {(one.data, row): bits for row, bits in zip(one.training.rows.tolist(), one.train, strict=True)}
    return Domain.of(held_out.similarity, np.array(list(molecules.values())))
