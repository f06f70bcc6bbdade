"""The words that error messages share."""

import math

import pytest

from roftbench.errors import JobError, SkipJob, UsageError, check_choice, check_range, suggest


def test_suggest_names_the_closest_and_everything_allowed_in_order() -> None:
    assert suggest("ful_ft", ["lp", "full_ft", "bss"]) == " Did you mean 'full_ft'? Allowed: bss, full_ft, lp."


def test_suggest_guesses_nothing_for_a_name_that_is_far_from_all() -> None:
    assert suggest("zzz", ("train", "val")) == " Allowed: train, val."


def test_check_choice() -> None:
    check_choice("task", "regression", ("regression", "classification"))
    with pytest.raises(ValueError, match=r"task is 'Regression'\. Did you mean 'regression'\? Allowed: classification"):
        check_choice("task", "Regression", ("regression", "classification"))


def test_check_choice_takes_names_that_can_be_read_only_once() -> None:
    with pytest.raises(ValueError, match=r"Allowed: a, b\."):
        check_choice("x", "c", (name for name in "ab"))


@pytest.mark.parametrize(
    ("value", "low", "high", "open_low"),
    [(0, 0, 1, False), (1, 0, 1, True), (1e-9, 0, math.inf, True), (1e300, 0, math.inf, False), (-1, -2, -1, False)],
)
def test_check_range_accepts_its_bounds(value: float, low: float, high: float, open_low: bool) -> None:
    check_range("x", value, low, high, open_low=open_low)


@pytest.mark.parametrize(
    ("value", "low", "high", "open_low", "message"),
    [
        (-0.5, 0, math.inf, False, "lr must be ≥ 0, got -0.5"),
        (0, 0, math.inf, True, "lr must be > 0, got 0"),
        (1.5, 0, 1, True, "lr must be > 0 and ≤ 1, got 1.5"),
        (math.nan, 0, math.inf, False, "lr must be ≥ 0, got nan"),
        (math.nan, 0, 1, True, "lr must be > 0 and ≤ 1, got nan"),
    ],
)
def test_check_range_says_what_came_and_what_is_allowed(
    value: float, low: float, high: float, open_low: bool, message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        check_range("lr", value, low, high, open_low=open_low)
    assert str(caught.value) == message


def test_who_catches_what() -> None:
    assert issubclass(UsageError, ValueError)  # a wrong value, whoever finds it
    assert issubclass(SkipJob, JobError)  # a job that ends without a result
    assert not issubclass(JobError, UsageError)
