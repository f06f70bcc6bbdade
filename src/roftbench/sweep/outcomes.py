"""Outcomes of the jobs of a sweep, read from the store, independently of launcher and process."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from roftbench.console import duration
from roftbench.formatting import counted, score_text
from roftbench.store.record_schema import Record
from roftbench.sweep.plan import Planned


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job: status "done", "failed" or "skipped", with the reason, or for a done job with its record."""

    status: str
    reason: str = ""
    record: Record | None = None

    @property
    def words(self) -> str:
        """The scores of a done job, or the reason why there are none."""
        if self.record is None:
            return self.reason
        metric, scores = self.record.metric, self.record.scores
        val, test = (score_text(part[metric], 4) for part in (scores.val, scores.test))
        return f"{metric}: val {val}, test {test}"

    @property
    def seconds(self) -> str:
        """The time that a done job took, or ""."""
        return duration(self.record.seconds["total"]) if self.record else ""

    @property
    def notices(self) -> list[str]:
        """What a user should see once per sweep: warnings about the model or the data, and dropped rows."""
        if self.record is None:
            return []
        texts = [f" warning  {text}" for text in self.record.warnings if not text.startswith("candidate ")]
        if dropped := self.record.data.dropped:
            rows = counted(len(dropped), "row")
            name, first = self.record.name("dataset"), dropped[0]
            more = "" if len(dropped) == 1 else "; the record lists all"
            texts.append(f" dropped  {name}: {rows}, first data row {first['row'] + 1}: {first['reason']}{more}")
        return texts


class Outcomes:
    """The jobs that have ended since this object was made: each has a new record or failure."""

    def __init__(self, jobs: Iterable[Planned]) -> None:
        self._before = {one.key: _before(one) for one in jobs}

    def ended(self, one: Planned) -> bool:
        """Return whether a job has ended."""
        return _stamps(one) != self._before[one.key]

    def of(self, one: Planned) -> JobOutcome | None:
        """Return how a job ended; None if it has not."""
        if not self.ended(one):
            return None
        if _stamps(one)[1] not in (None, self._before[one.key][1]):
            if (failure := one.store.failure(one.key)) is None:
                return JobOutcome("failed", "its failure cannot be read")
            return JobOutcome(failure.status, failure.error)
        record = one.store.get(one.key)
        if record is None:
            return JobOutcome("failed", "its record cannot be read; the same command does it again")
        return JobOutcome("done", record=record)


def _before(one: Planned) -> tuple[int | None, int | None]:
    """Return the times of writing before a sweep; a job has ended when they differ.

    Planning takes time, and another sweep may have finished the job meanwhile: its record then counts as new.
    """
    record, failure = _stamps(one)
    return None if one.context.is_finished(one.key) else record, failure


def _stamps(one: Planned) -> tuple[int | None, int | None]:
    """Return when the record and the failure of a job were written."""
    return _written(one.store.record_path(one.key)), _written(one.store.failure_path(one.key))


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
