"""Files with the user's own tables: found, read and unpacked, and known again by their checksum."""

import os
import stat
from pathlib import Path

from roftbench.data.config import DatasetSpec
from roftbench.data.table.reader import unpack
from roftbench.errors import UsageError
from roftbench.store.checksums import sha256


def own_content(spec: DatasetSpec) -> bytes:
    """Return the unpacked content of a completed spec's own file; raises UsageError if it is missing or another."""
    path, _ = own_file(str(spec.path))
    content = unpacked_content(spec, path)
    if (digest := sha256(content)) != spec.sha256:
        problem = f"{spec.path} has sha256 {digest}, expected {spec.sha256}: it has changed"
        raise UsageError(problem, key="dataset.path", got=spec.path)
    return content


def own_file(name: str) -> tuple[Path, os.stat_result]:
    """Return the absolute path of a regular file and its status; raises UsageError if there is none."""
    path = Path(name)
    try:
        path = path.expanduser().resolve()
        status = path.stat()
    except (OSError, RuntimeError, ValueError) as error:  # unknown home folder, NUL in the name
        raise _unreadable(path, name, getattr(error, "strerror", None) or str(error)) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "Is a directory" if stat.S_ISDIR(status.st_mode) else "Not a regular file"
        raise _unreadable(path, name, f"{kind}; give the table itself")
    return path, status


def unpacked_content(spec: DatasetSpec, path: Path) -> bytes:
    """Return the unpacked content of the file `path`, as which `own_file` has found that of a spec."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, str(spec.path), error.strerror or type(error).__name__) from None
    return unpack(str(spec.path), raw)


def _unreadable(path: Path, name: str, reason: str) -> UsageError:
    return UsageError(f"dataset.path={name} cannot be read: {reason} (looked at {path})", key="dataset.path", got=name)
