"""The context of a job: device, threads and folders. None of it is part of the job's key."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError, check_range
from roftbench.store.downloads import Places
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.names import check_name
from roftbench.store.record_schema import Record
from roftbench.store.results import Store

ALL = "all"  # run.keep: the model that is saved is fitted to all labeled molecules
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def check_device(name: str) -> None:
    """Raise UsageError unless a text is the name of a device; the device need not be on this machine."""
    if not _DEVICE.fullmatch(name):
        hint = "Allowed: auto, cpu, cuda, cuda:N."  # a suggestion would be cpu for gpu
        raise UsageError(f"device={name or repr(name)} is not a device", key="device", got=name, hint=hint)


@dataclass(frozen=True)
class RunSettings:
    """Settings of how a job runs, not of what it computes: they are no part of its key.

    Attributes:
        keep: true saves the model of each job; "all" saves one that is fitted to all labeled molecules once the jobs
            have judged its configuration; any other text is a name for the model (`named`).
        overwrite: whether a name may be taken from another model.
    """

    device: str = "auto"
    jobs_per_gpu: int = 4
    threads: int | None = None
    rerun: bool = False
    keep: bool | str = False
    overwrite: bool = False
    stage_cap_gb: float = 10.0
    logger: str | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        known = {"true": True, "false": False, ALL: ALL}  # as text, where they come from an environment variable
        object.__setattr__(self, "keep", known.get(str(self.keep).lower(), self.keep))
        if self.keep not in known.values():
            check_name("keep", self.keep)
        if self.threads is not None:
            check_range("threads", self.threads, 1)
        check_range("jobs_per_gpu", self.jobs_per_gpu, 1)
        check_range("stage_cap_gb", self.stage_cap_gb, 0)

    def named(self, *, folds: bool) -> "tuple[RunSettings, str]":
        """Return settings whose `keep` is no name, and the name or "".

        Args:
            folds: whether the split has folds, of which a named model is one that is fitted to all labels.
        """
        if isinstance(self.keep, str) and self.keep != ALL:
            return replace(self, keep=ALL if folds else True), self.keep
        return self, ""


@dataclass(frozen=True)
class RunContext:
    """The settings and folders with which a job runs, the plug-ins that it may use, and the name of its saved model."""

    run: RunSettings
    results: Path
    cache: Path
    places: Places
    plugins: tuple[str, ...] = ()
    name: str = ""

    @property
    def store(self) -> Store:
        """The store in the results folder."""
        return Store(self.results, self.run.stage_cap_gb)

    def running(self, **settings: Any) -> "RunContext":
        """Return a copy with changed `RunSettings`."""
        return replace(self, run=replace(self.run, **settings))

    def tidy(self) -> None:
        """Remove the temporary files that killed processes have left in the results folder and in the cache."""
        self.store.tidy()
        remove_leftovers((self.cache / "data", self.cache / "downloads"))

    def finished(self, key: str) -> Record | None:
        """Return the record of a finished job, or None.

        With run.keep=true a job is finished only if its model is saved, too; with run.rerun it never is.
        """
        return self.store.get(key) if self._may_be_finished(key) else None

    def is_finished(self, key: str) -> bool:
        """Return whether `finished` would return a record, without decoding all of it."""
        return self._may_be_finished(key) and self.store.has(key)

    def _may_be_finished(self, key: str) -> bool:
        return not self.run.rerun and (self.run.keep is not True or self.store.has_model(key))
