"""The space of a hyperparameter search: overrides as Optuna's distributions, and the values of a trial as overrides."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from roftbench.errors import UsageError, check_choice, check_range
from roftbench.sweep.grid import check_can_be_swept

REPEATED = ("seed", "split.seed", "split.fold", "label_ratio.seed")  # each value in every trial
SEARCHED = ("model", "method", "train")
SAMPLERS = ("tpe", "gp", "random")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class SearchSettings:
    """The keys of `hydra.sweeper`, in the names of Hydra's own sweeper for Optuna.

    n_jobs: trials at a time; None: as many as the launcher has workers. seed: of the sampler.
    """

    n_trials: int = 20
    n_jobs: int | None = None
    sampler: str = "tpe"
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("n_trials", self.n_trials, 1)
        if self.n_jobs is not None:
            check_range("n_jobs", self.n_jobs, 1)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_range("seed", self.seed, 0)


@dataclass(frozen=True)
class SearchSpace:
    """The searched keys with their distributions, and the overrides that all trials have.

    A fixed override may have several values, such as seed=0,1,2: a trial is then one job for each of them.
    """

    fixed: tuple[str, ...]
    axes: Mapping[str, BaseDistribution]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "SearchSpace":
        """Return the space of a command line; the last override of a key counts.

        Raises:
            UsageError: nothing is searched, a value cannot be searched, or scores would not be comparable.
        """
        last = {one.get_key_element(): one for one in OverridesParser.create().parse_overrides(list(texts))}
        fixed, axes = [], {}
        for key, one in last.items():
            if not one.is_sweep_override() or (key in REPEATED and one.is_discrete_sweep()):
                fixed.append(str(one.input_line))
            else:
                check_can_be_swept(one, key)
                _check_comparable(one, key)
                axes[key] = _distribution(one, key)
        if not axes:
            hint = (
                "Give one such as 'train.lr=tag(log,interval(1e-4,1e-2))', 'method.weight=0.1,1' or 'method=lp,lp_ft'"
            )
            raise UsageError("hydra/sweeper=optuna: no key has values to search", key="hydra/sweeper", hint=hint)
        return cls(tuple(fixed), axes)

    def overrides(self, values: Values) -> tuple[str, ...]:
        """Return the overrides of a trial."""
        return (*self.fixed, *assignments(values))

    def corners(self) -> Iterator[dict[str, Any]]:
        """Yield the first value of each key, then each other end or choice of a key beside the first of all others."""
        first = {key: _ends(axis)[0] for key, axis in self.axes.items()}
        yield first
        for key, axis in self.axes.items():
            yield from ({**first, key: value} for value in _ends(axis)[1:])

    def identity(self) -> dict[str, str]:
        """Return the distributions as text."""
        return {key: distribution_to_json(axis) for key, axis in self.axes.items()}


def assignments(values: Values) -> list[str]:
    """Return values by key as overrides that give back exactly these values."""
    return [f"{key}={value}" for key, value in values.items()]


def _check_comparable(one: Override, key: str) -> None:
    if re.split(r"[./@]", key.lstrip("+"))[0] not in SEARCHED:
        problem = (
            f"{one.input_line}: a search compares validation scores on the same molecules, and varies keys of"
            f" {', '.join(SEARCHED)} alone; seeds and folds ({', '.join(REPEATED)}) are averaged"
        )
        raise UsageError(problem, key=key, got=one.input_line, hint="Run one search for each value")


def _distribution(one: Override, key: str) -> BaseDistribution:
    value = one.value()
    try:
        if isinstance(value, IntervalSweep):
            ends: tuple[Any, Any] = (value.start, value.end)
            whole = all(isinstance(end, int) for end in ends)
            return (IntDistribution if whole else FloatDistribution)(ends[0], ends[1], log="log" in value.tags)
        if isinstance(value, RangeSweep):
            numbers = list(value.range())
            if all(isinstance(number, int) for number in numbers):
                return IntDistribution(int(min(numbers)), int(max(numbers)), step=int(abs(value.step)))
            return FloatDistribution(min(numbers), max(numbers), step=abs(value.step))
        [texts] = [[text for [text] in BasicSweeper.split_arguments([one], None)[0]]]
        return CategoricalDistribution([text.partition("=")[2] for text in texts])
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{one.input_line} cannot be searched: {reason}", key=key, got=one.input_line) from None


def _ends(axis: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(axis, CategoricalDistribution):
        return axis.choices
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    return axis.low, axis.high
