"""The trials of a hyperparameter search, in a file in the format of Optuna's journal."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from roftbench.config.job import derive_seed
from roftbench.errors import UsageError
from roftbench.store.files import write_text
from roftbench.sweep.search_space import SearchSettings


@dataclass(frozen=True)
class Trial:
    """A trial: its number, from 0, its values by key, and its validation score, or the reason why it has none.

    Without either it is still to be run.
    """

    number: int
    values: Mapping[str, Any]
    score: float | None = None
    reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether its jobs have ended."""
        return self.score is not None or self.reason is not None


class Trials:
    """The trials of one search; values are drawn by its sampler.

    The sampler of each trial has a seed of its own, so that a search that was killed draws the same values.

    Args:
        path: the file, which is made with the first trial.
        key: name of the search.
        axes: distributions by key.
        higher_is_better: the direction of the validation score.

    Raises:
        UsageError: the file is there and cannot be read.
    """

    def __init__(
        self,
        path: Path,
        key: str,
        axes: Mapping[str, BaseDistribution],
        settings: SearchSettings,
        *,
        higher_is_better: bool,
    ) -> None:
        self._axes, self._settings, self.higher_is_better = dict(axes), settings, higher_is_better
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._journal = _Journal(path)
        try:
            self._study = optuna.create_study(
                storage=JournalStorage(self._journal),
                study_name=key,
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
            )
            self.all()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError) as error:
            raise _damaged(path, error) from None

    def all(self) -> list[Trial]:
        """Return all trials in order."""
        reasons = self._study.user_attrs
        return [_trial(one, reasons) for one in self._study.get_trials(deepcopy=False)]

    def ask(self, count: int) -> list[Trial]:
        """Return new trials; they are written together, before any of their jobs begins."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            found = [self._ask(len(self._study.get_trials(deepcopy=False))) for _ in range(count)]
        self._journal.save()
        return found

    def _ask(self, number: int) -> Trial:
        self._study.sampler = _sampler(self._settings, number)
        return Trial(number, self._study.ask(self._axes).params)

    def tell(self, trial: Trial) -> None:
        """Write the score of a trial, or why it has none."""
        if trial.reason is not None:
            self._study.set_user_attr(_reason_of(trial.number), trial.reason)
        state = TrialState.COMPLETE if trial.score is not None else TrialState.FAIL
        self._study.tell(trial.number, trial.score, state)
        self._journal.save()

    def best(self) -> Trial | None:
        """Return the trial with the best score, the first of several; None if there is none with a score."""
        sign = 1 if self.higher_is_better else -1
        return max(
            (one for one in self.all() if one.score is not None),
            key=lambda one: sign * (one.score or 0.0),
            default=None,
        )


def _reason_of(number: int) -> str:
    """Return the attribute of the study with the reason why a trial has no score."""
    return f"trial {number}"


def _trial(one: FrozenTrial, reasons: Mapping[str, str]) -> Trial:
    reason = reasons.get(_reason_of(one.number), "unknown") if one.state is TrialState.FAIL else None
    return Trial(one.number, one.params, one.value if one.state is TrialState.COMPLETE else None, reason)


def _sampler(settings: SearchSettings, number: int) -> BaseSampler:
    seed = derive_seed(settings.seed, "trial", number) % 2**32
    if settings.sampler == "random":
        return RandomSampler(seed)
    return GPSampler(seed=seed) if settings.sampler == "gp" else TPESampler(seed=seed, constant_liar=True)


def _damaged(path: Path, error: Exception) -> UsageError:
    reason = f"{type(error).__name__}: {error}"
    hint = "Remove it: the search then begins anew, and repeats no job that has a record"
    return UsageError(f"{path} cannot be read as trials of a search ({reason})", key=str(path), hint=hint)


class _Journal(BaseJournalBackend):
    """Optuna's journal in memory, and as a file that is written whole; one process at a time has the search."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            self._logs: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        except ValueError as error:
            raise _damaged(path, error) from None

    def read_logs(self, log_number_from: int) -> Sequence[dict[str, Any]]:
        """Return the logs from a number on."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append logs, which `save` writes."""
        self._logs += json.loads(json.dumps(logs))

    def save(self) -> None:
        """Write the file."""
        write_text(self._path, "".join(f"{json.dumps(log)}\n" for log in self._logs))
