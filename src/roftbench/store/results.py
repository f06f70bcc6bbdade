"""The results folder: one JSON record per job, failures, and fitted stages for reuse."""

import json
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import Timeout

from roftbench.errors import UsageError
from roftbench.store.files import locked, write_text
from roftbench.store.folders import restore_folders
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.record_decoder import UNREADABLE, RecordDecoder, decode_record
from roftbench.store.record_digest import sealed
from roftbench.store.record_schema import Failure, JobResult, Record, plain

if TYPE_CHECKING:
    from roftbench.store.tensors import Entry

logger = logging.getLogger(__name__)

MODELS = "models"
_Result = TypeVar("_Result", bound=JobResult)


class Store:
    """Records under `root`/runs, failures under `root`/failures, fitted weights under `root`/stages."""

    def __init__(self, root: Path, stage_cap_gb: float = 10.0) -> None:
        self.root = root
        self.stage_cap = int(stage_cap_gb * 1e9)

    def record_path(self, key: str) -> Path:
        """Path of a job's record."""
        return self.root / "runs" / f"{key}.json"

    def failure_path(self, key: str) -> Path:
        """Path of the record of a job's failure."""
        return self.root / "failures" / f"{key}.json"

    def log_path(self, key: str) -> Path:
        """Path of a job's output."""
        return self.root / "logs" / f"{key}.log"

    def running_path(self, key: str) -> Path:
        """Path of the mark of a running job, which a killed process leaves behind."""
        return self.root / "running" / f"{key}.json"

    def stage_path(self, key: str) -> Path:
        """Path of a stage's fitted weights."""
        return self.root / "stages" / f"{key}.safetensors"

    def model_path(self, key: str) -> Path:
        """Folder of a job's saved model (run.keep)."""
        return self.root / MODELS / key

    def search_path(self, key: str) -> Path:
        """Path of the trials of a hyperparameter search."""
        return self.root / "searches" / f"{key}.jsonl"

    def has_model(self, key: str) -> bool:
        """Return whether a job's model has been saved."""
        return (self.model_path(key) / "model.json").is_file()

    def tidy(self) -> None:
        """Remove temporary files of killed processes, and restore models from their temporary folders."""
        with suppress(OSError):
            folders = [path for path in self.root.iterdir() if path.is_dir() and not path.is_symlink()]
            remove_leftovers([self.root, *(path for path in folders if path.name != MODELS)])
            with suppress(FileNotFoundError):
                remove_leftovers((self.root / "advise").iterdir())
        restore_folders(self.root / MODELS)

    def check_writable(self) -> None:
        """Raise UsageError unless a record could be written here."""
        try:
            folder = self.root / "runs"
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:  # unnamed, so that simultaneous processes do not collide
                file.write(b"0" * 65536)  # a full disk still takes an empty file
        except OSError as error:
            path = f" ({error.filename})" if error.filename else ""  # missing where the disk is full
            raise UsageError(
                f"paths.results={self.root} cannot be written: {error.strerror}{path}",
                key="paths.results",
                got=str(self.root),
                hint="Set paths.results to a folder that you may write.",
            ) from None

    def get(self, key: str) -> Record | None:
        """Return a job's record; None if there is none or if it cannot be read (which is reported)."""
        path = self.record_path(key)
        return _read(path, decode_record) if path.exists() else None

    def has(self, key: str) -> bool:
        """Return whether a job's record exists and can be read; one that cannot is reported."""
        path = self.record_path(key)
        return path.exists() and _read(path, RecordDecoder().summary) is not None

    def failure(self, key: str) -> Failure | None:
        """Return the record of a failed or skipped job; None if there is none or if it cannot be read."""
        path = self.failure_path(key)
        return _read(path, RecordDecoder().failure) if path.exists() else None

    def put(self, record: Record) -> Path:
        """Write the record of a finished job and remove its failure, if it had one.

        Raises:
            ValueError: the record could not be decoded again; nothing is written. So do all of UNREADABLE.
        """
        path = self.record_path(record.key)
        text = sealed(plain(record))
        decode_record(text.encode(), record.key)
        write_text(path, text)
        self.failure_path(record.key).unlink(missing_ok=True)
        return path

    def put_failure(self, failure: Failure) -> Path:
        """Write the record of a failed or skipped job."""
        path = self.failure_path(failure.key)
        write_text(path, sealed(plain(failure)))
        return path

    def renew(self, key: str) -> None:
        """Mark the record of a job as written now, without changing it, and remove its failure, if it had one."""
        os.utime(self.record_path(key))
        self.failure_path(key).unlink(missing_ok=True)

    def load(self) -> list[Record]:
        """Return all records that can be read, in order of their keys; the others are reported by name."""
        found = (_read(path, decode_record) for path in self.record_paths())
        return [record for record in found if record is not None]

    def load_failures(self) -> list[Failure]:
        """Return the records of jobs that failed or were skipped, in order of their keys."""
        found = (_read(path, RecordDecoder().failure) for path in self.failure_paths())
        return [failure for failure in found if failure is not None]

    def record_paths(self) -> list[Path]:
        """Return the files of `load`."""
        return sorted((self.root / "runs").glob("*.json"))

    def failure_paths(self) -> list[Path]:
        """Return the files of `load_failures`; a job with a record is done, even if it failed when run again."""
        return [
            path for path in sorted((self.root / "failures").glob("*.json")) if not self.record_path(path.stem).exists()
        ]

    def get_stage(self, key: str) -> "Entry | None":
        """Return a stage's weights and description; None if it is missing or damaged (which is reported)."""
        from roftbench.store.tensors import DamagedFileError, read_tensors  # imports torch, which takes seconds

        path = self.stage_path(key)
        if not path.exists():
            return None
        try:
            entry = read_tensors(path)
        except DamagedFileError as error:
            logger.warning("%s is damaged (%s): fitting that stage again", path, error)
            return None
        with suppress(FileNotFoundError):  # another process may have removed it
            os.utime(path)  # marks it as used, for the removal of the least recently used
        return entry

    def put_stage(self, key: str, entry: "Entry") -> None:
        """Store a stage's weights and remove the least recently used ones above the cap; a full disk is reported."""
        from roftbench.store.tensors import write_tensors

        try:
            write_tensors(self.stage_path(key), *entry)
        except OSError as error:  # costs time alone: other jobs fit the stage again
            logger.warning("%s cannot be stored for reuse: %s", self.stage_path(key), error.strerror or error)
            return
        files = []
        for path in (self.root / "stages").glob("*.safetensors"):
            with suppress(FileNotFoundError):  # another process may have removed it
                files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        files.sort()
        excess = sum(size for _, size, _ in files) - self.stage_cap
        for _, size, path in files[:-1]:
            if excess <= 0:
                break
            excess -= size
            path.unlink(missing_ok=True)

    @contextmanager
    def claim(self, key: str, *, wait: bool = True) -> Iterator[bool]:
        """Lock a job and mark it as running; yields whether this process has the lock.

        Processes that run the same job wait for one another; with wait=False, False is yielded at once.
        """
        lock = locked(self.record_path(key))
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        mark = self.running_path(key)
        try:
            write_text(mark, json.dumps({"process": os.getpid(), "host": socket.gethostname()}) + "\n")
            yield True
        finally:
            mark.unlink(missing_ok=True)
            lock.release()

    def at_work(self, key: str) -> bool:
        """Return whether a process is running the job."""
        try:
            with locked(self.record_path(key)).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def interrupted(self, key: str) -> bool:
        """Return whether a killed process has left the job unfinished."""
        return self.running_path(key).exists() and not self.at_work(key)

    def stage_lock(self, key: str) -> Any:
        """Return a lock, with which processes that need the same stage wait for one another."""
        return locked(self.stage_path(key))


def _read(path: Path, decode: Callable[[bytes, str], _Result]) -> _Result | None:
    """Return the decoded content of a file; None where it cannot be decoded, which is reported."""
    try:
        return decode(path.read_bytes(), path.stem)
    except UNREADABLE as error:
        report_unreadable(path, error)
        return None


def report_unreadable(path: Path, error: Exception) -> None:
    """Log a warning about a file that is not a record."""
    reason = f"it lacks {error}" if isinstance(error, KeyError) else error
    logger.warning("%s cannot be read and is not counted: %s", path, reason)
