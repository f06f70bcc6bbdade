"""Fields and texts of errors."""

import math
import pickle

import pytest
from refusals import raises_usage

from roftbench.errors import JobError, SkipJob, UsageError, check_choice, check_range, suggest


def test_suggest_names_the_closest_and_everything_allowed_in_order() -> None:
    assert suggest("ful_ft", ["lp", "full_ft", "bss"]) == " Did you mean 'full_ft'? Allowed: bss, full_ft, lp."


def test_suggest_guesses_nothing_for_a_name_that_is_far_from_all() -> None:
    assert suggest("zzz", ("train", "val")) == " Allowed: train, val."


def test_usage_error_renders_problem_allowed_values_and_hint() -> None:
    error = UsageError("seed=x is no number", key="seed", got="x", allowed=("1", "0"), hint="Give seed=0.")
    assert str(error) == "seed=x is no number. Allowed: 0, 1. Give seed=0."
    assert str(UsageError("a is 1", hint="Give a=2")) == "a is 1. Give a=2"
    assert str(UsageError("a is 1")) == "a is 1"


def test_usage_error_keeps_its_fields_in_another_process() -> None:
    error = UsageError("problem", key="train.lr", got=[0], allowed=("a", "b"), hint="Fix it.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (written one line above)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_usage_error_under_a_prefix() -> None:
    error = UsageError("lr is 'x'", key="lr", got="x", allowed=("auto",), hint="Give a number.").under("train.")
    assert str(error) == "train.lr is 'x'. Allowed: auto. Give a number."
    assert (error.key, error.got, error.allowed) == ("train.lr", "x", ("auto",))


def test_check_choice() -> None:
    check_choice("task", "regression", ("regression", "classification"))
    allowed = ("regression", "classification")
    with raises_usage(key="task", got="Regression", allowed=allowed):
        check_choice("task", "Regression", allowed)


def test_check_choice_takes_names_that_can_be_read_only_once() -> None:
    with raises_usage(key="x", got="c", allowed=("a", "b")):
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
    with raises_usage(key="lr") as caught:
        check_range("lr", value, low, high, open_low=open_low)
    assert str(caught.value) == message


def test_kinds_of_errors() -> None:
    assert issubclass(UsageError, ValueError)  # a wrong value
    assert issubclass(SkipJob, JobError)  # a job that ends without a result
    assert not issubclass(JobError, UsageError)
