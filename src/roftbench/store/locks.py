"""Locks between processes, with messages for long waits and for file systems without locks."""

import errno
import logging
import time
from inspect import signature
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from roftbench.errors import UsageError

logger = logging.getLogger(__name__)

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # the last is ENOTSUP on Linux
PATIENCE = 5.0  # seconds of waiting before a message
LOCK = ".lock"
# A lock file that only exists would outlive a killed process; older versions of filelock lack this fallback.
_HARD: Any = {"fallback_to_soft": False} if "fallback_to_soft" in signature(FileLock.__init__).parameters else {}


class Lock(FileLock):
    """A lock that is released when its process ends, even if it is killed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, **_HARD)

    def acquire(self, timeout: float | None = None, *arguments: Any, **named: Any) -> Any:
        """Take the lock; after `PATIENCE` seconds, a warning names the locked file.

        Raises:
            Timeout: the lock is not free in time.
            UsageError: the file system has no locks.
        """
        wanted = self.timeout if timeout is None else timeout
        try:
            if 0 <= wanted <= PATIENCE:
                return super().acquire(wanted, *arguments, **named)
            return self._acquire_patiently(wanted, *arguments, **named)
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in WITHOUT_LOCKS:
                raise
            raise UsageError(
                f"{Path(self.lock_file).parent} is on a file system without locks ({error}), which processes need to"
                " share it: set paths.results and paths.cache (ROFTBENCH_RESULTS, ROFTBENCH_CACHE) to folders on"
                " another one, such as a local disk, or have it mounted with locks",
                key=str(Path(self.lock_file).parent),
            ) from error

    def _acquire_patiently(self, wanted: float, *arguments: Any, **named: Any) -> Any:
        began = time.monotonic()
        try:
            return super().acquire(PATIENCE, *arguments, **named)
        except Timeout:
            path = Path(self.lock_file)
            shown = path.parent.parent / path.name.removesuffix(LOCK)
            logger.warning("waiting for another process, which uses %s (its lock: %s)", shown, path)
        return super().acquire(wanted if wanted < 0 else wanted - (time.monotonic() - began), *arguments, **named)


def no_locks(folder: Path) -> str | None:
    """Return the reason why a folder allows no lock, or None; leaves no file behind."""
    path = folder / f".roftbench-{time.time_ns():x}{LOCK}"
    try:
        with Lock(path):
            return None
    except UsageError:
        return "its file system has no locks"
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        path.unlink(missing_ok=True)
