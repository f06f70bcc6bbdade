"""Atomic writes, and locks between processes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from roftbench.errors import UsageError
from roftbench.store.leftovers import remove_leftovers, temporary_name
from roftbench.store.locks import LOCK, Lock


def locked(path: Path) -> Lock:
    """Return a lock between processes for `path`, whose file is in the folder `.locks` beside it."""
    folder = path.parent / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return Lock(folder / f"{path.name}{LOCK}")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is flushed and renamed to `path` unless an error is raised.

    An OSError of writing or flushing that lacks a file name gets that of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(what: object, got: object, key: str) -> Iterator[None]:
    """Raise a UsageError inside the block, which begins with the output's name `what`, where it cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{what} cannot be written: {error.strerror or error}", key=key, got=str(got)) from None


def write_output(path: Path, content: str | bytes, option: str = "--out") -> None:
    """Write the file of an option such as `--out` atomically.

    Raises:
        UsageError: the path is a folder or cannot be written.
    """
    check_output(path, option)
    remove_leftovers([path.parent], path.name)
    with writing(f"{option} {path}", path, option):
        if isinstance(content, str):
            write_text(path, content)
        else:
            with atomic(path) as temporary:
                temporary.write_bytes(content)


def check_output(path: Path, option: str = "--out") -> None:
    """Raise UsageError if the path of an option such as `--out` is a folder."""
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder: give the name of a file", key=option, got=str(path))


def check_paths(source: Path, output: Path, endings: Sequence[str]) -> None:
    """Raise UsageError unless the output differs from its source and has one of the endings."""
    if not output.name.endswith(tuple(endings)):
        raise UsageError(f"output={output} must end with {' or '.join(endings)}", key="output", got=str(output))
    check_not_input(output, source)


def check_not_input(output: Path, source: Path) -> None:
    """Raise UsageError where an output would overwrite its input."""
    if output.expanduser().resolve() == source.expanduser().resolve():
        raise UsageError(f"output={output} is the input: give another name", key="output", got=str(output))


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; lone surrogates, as from undecodable file names, are escaped."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
