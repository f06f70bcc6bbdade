"""Atomic replacement of a folder that keeps the user's own files in it."""

import ctypes
import logging
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from roftbench.store.leftovers import FORMAT, leftovers, temporary_name

logger = logging.getLogger(__name__)

_AT_FDCWD, _EXCHANGE = -100, 2  # of linux/fs.h


@contextmanager
def new_folder(folder: Path, ours: Collection[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; unless an error is raised, it replaces `folder` as below."""
    new = temporary_name(folder)
    try:
        new.mkdir(parents=True)
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    replace_folder(new, folder, ours)


def replace_folder(new: Path, folder: Path, ours: Collection[str]) -> None:
    """Rename the folder `new` to `folder`; files of an earlier `folder` that are not among `ours` are kept in it.

    Raises:
        OSError: renaming fails; the earlier folder is unchanged, and `new` is removed.
    """
    try:
        earlier = _replaced(new, folder, ours)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if earlier is None:
        return
    try:
        _remove(earlier, folder, ours)
    except OSError as error:  # `restore_folders` moves its files later
        logger.warning("%s holds files that could not be moved to %s: %s", earlier, folder, error.strerror or error)


def _replaced(new: Path, folder: Path, ours: Collection[str]) -> Path | None:
    """Rename the folder and return the path of the earlier one; None if there was none."""
    if not os.path.lexists(folder):
        new.replace(folder)
        return None
    for path in folder.iterdir() if folder.exists() else ():  # before the exchange, so that a kill loses none
        if path.name not in ours:
            with suppress(OSError):  # moved after the exchange
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
    """Restore files from temporary folders of killed processes in `parent`, and remove these folders.

    An earlier folder gets its name back if no other folder has it. Nothing is raised: files that cannot be moved stay
    where they are.
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


def _remove(earlier: Path, folder: Path, ours: Collection[str] = ()) -> None:
    """Remove an earlier folder after moving the files that `folder` lacks, except for `ours`."""
    if earlier.is_symlink():
        earlier.unlink()
        return
    for path in earlier.iterdir() if folder.exists() else ():
        if path.name not in ours and not os.path.lexists(folder / path.name) and not FORMAT.fullmatch(path.name):
            path.replace(folder / path.name)
    shutil.rmtree(earlier, ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    """Hard-link the files of a path to `target`, or copy them where the file system cannot link."""
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, target, symlinks=True, copy_function=_link_file)
    else:
        _link_file(str(path), str(target))


def _link_file(path: str, target: str) -> None:
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        if Path(path).is_file() or Path(path).is_symlink():  # not a pipe, from which reading would never end
            shutil.copy2(path, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; returns False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)
