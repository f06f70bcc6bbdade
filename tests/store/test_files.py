"""Files are whole or absent."""

import os
import resource
from pathlib import Path

import pytest

from roftbench.store.files import atomic, locked, write_text


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_atomic_replaces_the_old_content_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "old")
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent  # a rename across file systems is not atomic
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(path.parent) == {"a.txt"}


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with path.open() as reader:
        write_text(path, "new")
        assert reader.read() == "old"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_leaves_the_old_content_and_nothing_else_on_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_half() -> None:
        with atomic(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.txt"}


def test_atomic_creates_nothing_on_an_error(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("ne")
            raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space"):
        write_half()
    assert names(tmp_path) == set()


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Å α ≥\n")
    assert (tmp_path / "a.txt").read_bytes() == "Å α ≥\n".encode()


def test_locks_lie_apart_from_the_files(tmp_path: Path) -> None:
    with locked(tmp_path / "a"):
        assert names(tmp_path) == set()
        with locked(tmp_path / "b"):  # another file, another lock
            pass


def test_an_error_of_writing_names_the_file_that_was_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # the system takes no more of a file
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_text(path, "x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(path)
    assert names(tmp_path) == set()
