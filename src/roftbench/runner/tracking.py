"""Calls of the callback of a job (`run.logger`), whose errors affect the log and not the job."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roftbench.config.callbacks import Callback, callback_of
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.store.record_schema import Epoch, Failure, Record

logger = logging.getLogger(__name__)


class Tracking:
    """Calls the callback of a context, if it has one, until its first error, and always `job_ended`.

    Attributes:
        result: what `job_ended` receives; to be set once the job has its record.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._callback: Callback | None = None
        self._failed = False
        self.result: Record | Failure | None = None

    @contextmanager
    def around(self, job: Job) -> Iterator[None]:
        """Make the callback and call `job_began` before the block, and `job_ended` after it, however it ends."""
        self._call(lambda: self._begin(job))
        try:
            yield
        finally:
            self._failed = False
            self._call(self._end)

    def _begin(self, job: Job) -> None:
        self._callback = callback_of(self._context)
        if self._callback is not None:
            self._callback.job_began(job, self._context)

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Pass an epoch on."""
        callback = self._callback
        if callback is not None:
            self._call(lambda: callback.epoch_ended(epoch, candidate))

    def _end(self) -> None:
        if self._callback is not None:
            self._callback.job_ended(self.result)

    def _call(self, call: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            call()
        except Exception as error:  # the code of users and of other packages may raise anything
            self._failed = True
            name, reason = self._context.run.logger, f"{type(error).__name__}: {error}"
            logger.warning("run.logger=%s failed: %s. The job goes on without it", name, reason)
