import numpy as np
import pytest

from roftbench.predict.digits import decimals, full_texts, label_decimals, probability_texts, rounded_texts


@pytest.mark.parametrize(
    ("half_width", "of_labels", "expected"),
    [
        (1.81, 2, 2),  # pIC50 7.35 ± 1.81
        (1.81, 7, 2),  # digits that logarithms made are not written
        (1.81, 0, 1),  # whole labels: two digits of the width
        (0.45, 2, 2),
        (12.3, 0, 0),
        (12.3, 3, 1),
        (850.0, 1, 0),  # nM
        (3.4e-8, 12, 10),
        (2.1e-13, 17, 15),  # 3.7e-13 must not become 0.000000000000
        (1.81, None, 2),  # models of earlier versions
        (np.nan, 2, 5),  # no interval
        (0.0, 1, 4),
    ],
)
def test_decimals_follow_the_width_and_the_labels(half_width: float, of_labels: int | None, expected: int) -> None:
    assert decimals(half_width, of_labels) == expected


def test_decimals_of_labels() -> None:
    assert label_decimals(np.array([1.0, 7.35, np.nan, 2.5])) == 2
    assert label_decimals(np.array([10.0, 2000.0])) == 0
    assert label_decimals(np.array([1.5e-8])) == 9
    assert label_decimals(np.array([np.nan])) == 0


def test_texts() -> None:
    assert rounded_texts([-3.6249, 0.0, np.nan, 0.001, -0.0], places=2) == ["-3.62", "0.00", "", "1.0e-03", "-0.00"]
    assert probability_texts([0.5, 0.99996, 1.0, 0.00001, np.nan]) == ["0.500", "0.99996", "1.000", "0.00001", ""]
    assert full_texts([0.1 + 0.2, np.nan]) == ["0.30000000000000004", ""]
