"""Replacing a folder as a whole: it has one content or the other at every moment, and keeps the user's own files."""

import ctypes
import logging
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from roftbench.store.leftovers import FORMAT, leftovers

logger = logging.getLogger(__name__)

_AT_FDCWD, _EXCHANGE = -100, 2  # of linux/fs.h


def replace_folder(new: Path, folder: Path, ours: Collection[str]) -> None:
    """Give the folder `new` the name `folder`; from one of that name, all but the files `ours` go into it.

    Raises:
        OSError: it cannot be; the earlier folder is as it was, and `new` is removed.
    """
    try:
        earlier = _replaced(new, folder, ours)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if earlier is None:
        return
    try:
        _remove(earlier, folder)
    except OSError as error:  # what it holds is brought back by `restore_folders`
        logger.warning("%s holds files that could not be moved to %s: %s", earlier, folder, error.strerror or error)


def _replaced(new: Path, folder: Path, ours: Collection[str]) -> Path | None:
    """Do so, and return where the earlier folder is now; None if there was none."""
    if not os.path.lexists(folder):
        new.replace(folder)
        return None
    for path in folder.iterdir() if folder.exists() else ():  # before names change: a kill then loses none of them
        if path.name not in ours:
            with suppress(OSError):  # it is moved afterward
                _link(path, new / path.name)
    if _exchange(new, folder):
        return new
    earlier = new.with_suffix(".old")
    folder.replace(earlier)
    try:
        new.replace(folder)
    except BaseException:
        earlier.replace(folder)
        raise
    return earlier


def restore_folders(parent: Path) -> None:
    """Bring back what killed processes had in temporary folders of `parent`, and remove these.

    An earlier folder gets its name again if there is no other of that name. Nothing is raised: what cannot be moved
    stays where it is.
    """
    for path in sorted(leftovers(parent), key=lambda path: path.suffix != ".old"):
        found = FORMAT.fullmatch(path.name)
        assert found is not None
        folder = parent / found["final"]
        with suppress(OSError):
            if path.suffix == ".old" and not folder.exists():
                path.replace(folder)
            elif path.is_dir() and not path.is_symlink():
                _remove(path, folder)
            else:
                path.unlink()


def _remove(earlier: Path, folder: Path) -> None:
    """Remove an earlier folder; what `folder` lacks of it goes there before."""
    if earlier.is_symlink():
        earlier.unlink()
        return
    for path in earlier.iterdir() if folder.exists() else ():
        if not os.path.lexists(folder / path.name) and not FORMAT.fullmatch(path.name):
            path.replace(folder / path.name)
    shutil.rmtree(earlier, ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    """Make a file or folder known under a second name, or copy it where the system cannot."""
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, target, symlinks=True, copy_function=_link_file)
    else:
        _link_file(str(path), str(target))


def _link_file(path: str, target: str) -> None:
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        if Path(path).is_file() or Path(path).is_symlink():  # no pipe: reading it would never end
            shutil.copy2(path, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; returns False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)
