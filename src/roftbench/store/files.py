"""Files that are whole or absent: atomic writes and locks between processes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from roftbench.errors import UsageError
from roftbench.store.leftovers import remove_leftovers, temporary_name
from roftbench.store.locks import LOCK, Lock


def locked(path: Path) -> Lock:
    """Return a lock between processes for `path`, kept in the folder `.locks` beside it."""
    folder = path.parent / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return Lock(folder / f"{path.name}{LOCK}")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there is flushed and takes its place if no error came.

    An OSError of writing or flushing, which does not tell the file, gets the name of `path`.
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


def write_output(path: Path, text: str) -> None:
    """Write the text file that `--out` names, atomically.

    Raises:
        UsageError: it is a folder, or cannot be written.
    """
    check_output(path)
    remove_leftovers([path.parent], path.name)
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(
            f"--out {path} cannot be written: {error.strerror or error}", key="--out", got=str(path)
        ) from None


def check_output(path: Path) -> None:
    """Raise UsageError if what `--out` names is a folder."""
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder: give the name of a file", key="--out", got=str(path))


def check_paths(source: Path, output: Path, endings: Sequence[str]) -> None:
    """Raise UsageError unless the output is another file than its source and has one of the endings."""
    if not output.name.endswith(tuple(endings)):
        raise UsageError(f"output={output} must end with {' or '.join(endings)}", key="output", got=str(output))
    check_not_input(output, source)


def check_not_input(output: Path, source: Path) -> None:
    """Raise UsageError where an output would overwrite the file that it is made from."""
    if output.expanduser().resolve() == source.expanduser().resolve():
        raise UsageError(f"output={output} is the input: give another name", key="output", got=str(output))


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically; what UTF-8 lacks, as a byte of a file's name, is written as an escape."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
