"""Locks between processes: file systems without them, and waiting for another process."""

import errno
import fcntl
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command
from refusals import raises_usage

from roftbench.store import locks
from roftbench.store.files import locked
from roftbench.store.locks import no_locks


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_is_named(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with raises_usage("paths.cache", key=str(tmp_path / ".locks")):
        locked(tmp_path / "a").acquire(timeout=0)
    assert no_locks(tmp_path) == "its file system has no locks"
    ended = cli("doctor")
    assert ended.code == 1
    assert "cannot be written (its file system has no locks)" in ended.out
    assert not list(tmp_path.glob(".roftbench*"))


def test_who_waits_says_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    path = tmp_path / "a.json"
    path.with_name(".locks").mkdir()
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True)"
    hold += "; time.sleep(1)"
    command = [sys.executable, "-c", hold, str(tmp_path / ".locks" / "a.json.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with caplog.at_level(logging.WARNING), locked(path):
            assert child.wait() == 0  # it has let go only when it ended
    assert f"waiting for another process, which uses {path}" in caplog.text


def test_a_folder_that_can_be_locked_keeps_nothing(tmp_path: Path) -> None:
    assert no_locks(tmp_path) is None
    assert not list(tmp_path.iterdir())
