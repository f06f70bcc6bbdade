"""Temporary files whose names identify the writing process, so that those of killed processes can be removed.

The name is `.<final name>.<process>.<token>.tmp`. The token identifies the machine and the start time of the process:
process ids are reused, and a shared folder is used by processes of several machines.
"""

import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

FORMAT = re.compile(r"\.(?P<final>.+)\.(?P<process>\d+)\.(?P<token>[0-9a-f]{8}|[0-9a-f]{20})\.(?P<end>tmp|old)")
IDLE = 24 * 3600.0  # seconds without a change after which a file of another machine counts as left behind
_HERE, _BORN = 6, 6  # hex digits of a token for the machine and the process's start; the rest is random


def temporary_name(path: Path) -> Path:
    """Return a new name beside `path` that identifies this process."""
    process = os.getpid()
    token = f"{_here()}{_born(process)}{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{process}.{token}.tmp")


def final_name(path: Path) -> str:
    """Return the final name of a file, which differs from its own where it is temporary."""
    found = FORMAT.fullmatch(path.name)
    return found["final"] if found else path.name


def remove_leftovers(folders: Iterable[Path], name: str | None = None) -> None:
    """Remove temporary files and folders of killed processes directly in the folders.

    With a `name`, only those of that file. Nothing is raised: what cannot be removed stays.
    """
    for folder in folders:
        for path in leftovers(folder, name):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def leftovers(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Yield the temporary files and folders in a folder whose processes have ended."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return
    for one in names:
        found = FORMAT.fullmatch(one)
        if found and name in (None, found["final"]) and _is_left(folder / one, int(found["process"]), found["token"]):
            yield folder / one


def _is_left(path: Path, process: int, token: str) -> bool:
    """Return whether the writer of a temporary file has ended; tokens of earlier versions lack the machine."""
    if len(token) == 8:
        return not _is_running(process)
    if token[:_HERE] == _here():
        return not _is_running(process) or token[_HERE : _HERE + _BORN] != _born(process)
    try:
        return time.time() - path.lstat().st_mtime > IDLE
    except OSError:
        return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


def _here() -> str:
    """Return an identifier of this machine or container, within which process ids are unique."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return _short(f"{socket.gethostname()} {space}", _HERE)


def _born(process: int) -> str:
    """Return an identifier of a process's start time; constant where the system does not report it."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields[0] in "ZX":  # ended, but not yet waited for by its parent
            return ""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        return _short(f"{boot} {fields[19]}", _BORN)
    except (OSError, IndexError):
        return "0" * _BORN


def _short(text: str, digits: int) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()[:digits]
