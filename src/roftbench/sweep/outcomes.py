"""How the jobs of a sweep end, as the store tells: whatever launched them, and in whichever process they ran."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from roftbench.formatting import score_text
from roftbench.sweep.plan import Planned


@dataclass(frozen=True)
class Ending:
    """A job's end: status "done", "failed" or "skipped", with the reason, or for a done job its scores in words."""

    status: str
    words: str


class Endings:
    """Tells which jobs have ended since it was made: the record or the failure of each is there, and new."""

    def __init__(self, jobs: Iterable[Planned]) -> None:
        self._before = {one.key: _before(one) for one in jobs}

    def ended(self, one: Planned) -> bool:
        """Tell whether a job has ended."""
        return _stamps(one) != self._before[one.key]

    def of(self, one: Planned) -> Ending | None:
        """Return how a job ended; None if it has not."""
        if not self.ended(one):
            return None
        if _stamps(one)[1] not in (None, self._before[one.key][1]):
            failure = one.store.failure(one.key)
            return Ending(failure.status, failure.error) if failure else Ending("failed", "its failure cannot be read")
        record = one.store.get(one.key)
        if record is None:
            return Ending("failed", "its record cannot be read; the same command does it again")
        val, test = (score_text(scores[record.metric], 4) for scores in (record.scores.val, record.scores.test))
        return Ending("done", f"{record.metric}: val {val}, test {test}")


def _before(one: Planned) -> tuple[int | None, int | None]:
    """Return the stamps that a job must not have to have ended.

    Planning takes its time, and another sweep may have done the job meanwhile: its record is new then.
    """
    record, failure = _stamps(one)
    return None if one.env.is_finished(one.key) else record, failure


def _stamps(one: Planned) -> tuple[int | None, int | None]:
    """Return when the record and the failure of a job were written."""
    return _written(one.store.record_path(one.key)), _written(one.store.failure_path(one.key))


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
