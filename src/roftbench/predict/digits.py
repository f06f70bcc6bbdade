"""How many decimals of a prediction mean something."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MOST = 12  # decimals where no half width limits them
SIMILARITY = 3
PROBABILITY = 3


def label_decimals(y: NDArray[np.float64]) -> int:
    """Return the most decimals with which any of the labels [n] is written, NaN left out."""
    return max((_decimals(value) for value in y[~np.isnan(y)].tolist()), default=0)


def _decimals(value: float) -> int:
    text = repr(value)
    if "e" in text:
        digits, _, exponent = text.partition("e")
        return max(0, len(digits.partition(".")[2]) - int(exponent))
    return len(text.removesuffix(".0").partition(".")[2])


def decimals(half_width: float, of_labels: int | None) -> int:
    """Return the decimals of a regression's values, by the half width of its intervals.

    An uncertainty has two significant digits (JCGM 100:2008, section 7.2.6); a third is kept if the labels have it, so
    that predictions can still be ranked. Without a half width (NaN) they have three more than the labels.
    """
    if not math.isfinite(half_width) or half_width <= 0:
        return min((of_labels if of_labels is not None else 3) + 3, MOST)
    two = 1 - math.floor(math.log10(half_width))
    three = two + 1 if of_labels is None else min(two + 1, of_labels)
    return max(two, three, 0)


def rounded_texts(values: Iterable[float], *, places: int) -> list[str]:
    """Return values with so many decimals, empty for NaN; one below the last decimal has two significant digits."""
    return [_text(value, places) for value in values]


def _text(value: float, places: int) -> str:
    if value != value:
        return ""
    text = f"{value:.{places}f}"
    return text if value == 0 or float(text) != 0 else f"{value:.1e}"


def probability_texts(values: Iterable[float]) -> list[str]:
    """Return probabilities with three decimals, more where 0 or 1 would be written, empty for NaN."""
    found = []
    for value in values:
        places = PROBABILITY
        while value == value and 0 < value < 1 and places < MOST and float(f"{value:.{places}f}") in (0, 1):
            places += 1
        found.append("" if value != value else f"{value:.{places}f}")
    return found


def full_texts(values: Iterable[float]) -> list[str]:
    """Return values in full, empty for NaN."""
    return ["" if value != value else repr(value) for value in values]
