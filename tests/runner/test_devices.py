import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from command import Command
from lab import Lab

from roftbench.runner.devices import gpu_slot, reserved_device

# Takes a slot, appends what it got to a file, and holds it until its standard input is closed.
HOLDER = """
import json, sys
from pathlib import Path
from roftbench.runner.devices import gpu_slot
names, folder, per_gpu, log = json.loads(sys.argv[1])
with gpu_slot(names, Path(folder), per_gpu) as number:
    with open(log, "a") as file:
        file.write(f"{number}\\n")
    sys.stdin.read()
"""


class Holders:
    """Processes that want a slot on a GPU, and what each of them got."""

    def __init__(self, folder: Path, names: Sequence[str], per_gpu: int) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.given = json.dumps([list(names), str(folder / "gpus"), per_gpu, str(self.log)])
        self.open: list[subprocess.Popen[str]] = []

    def one_more(self) -> "subprocess.Popen[str]":
        """Start one more process."""
        command = [sys.executable, "-c", HOLDER, self.given]
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        self.open.append(child)
        return child

    def got(self, count: int) -> list[int]:
        """Return the GPUs, in order, once `count` processes have one."""
        end = time.monotonic() + 60
        while len(found := self.log.read_text().split()) < count:
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return [int(one) for one in found]

    def close(self) -> None:
        for child in self.open:
            child.kill()
            child.communicate()


@pytest.mark.slow
def test_processes_share_gpus_and_wait_for_a_free_slot(tmp_path: Path) -> None:
    holders = Holders(tmp_path, ["a", "b"], per_gpu=1)
    try:
        first, second = holders.one_more(), holders.one_more()
        assert sorted(holders.got(2)) == [0, 1]
        third = holders.one_more()
        assert third.stdout is not None
        assert "waiting for a GPU" in third.stdout.readline()
        assert len(holders.got(2)) == 2
        of_first = 0 if _frees(first, tmp_path, "a") else 1
        assert holders.got(3)[2] == of_first
        second.send_signal(signal.SIGKILL)  # a killed process leaves its slot free
        second.wait()
        holders.one_more()
        assert holders.got(4)[3] == 1 - of_first
    finally:
        holders.close()


def _frees(child: "subprocess.Popen[str]", folder: Path, name: str) -> bool:
    """End a process in good order, and tell whether it held the only slot of GPU `name`."""
    files = {one.readlink() for one in Path(f"/proc/{child.pid}/fd").iterdir()}
    child.communicate("")
    return folder / "gpus" / ".locks" / f"{name}-0.lock" in files


def test_every_gpu_is_used_before_one_is_used_twice(tmp_path: Path) -> None:
    with gpu_slot(["a", "b"], tmp_path, 2) as first, gpu_slot(["a", "b"], tmp_path, 2) as second:
        assert (first, second) == (0, 1)
        with gpu_slot(["a", "b"], tmp_path, 2) as third, gpu_slot(["a", "b"], tmp_path, 2) as fourth:
            assert (third, fourth) == (0, 1)
    with gpu_slot(["b"], tmp_path, 1) as number:  # another process may see fewer of them, under other numbers
        assert number == 0
        with gpu_slot(["a", "b"], tmp_path, 1) as first:
            assert first == 0
        with gpu_slot(["b", "a"], tmp_path, 1) as first:
            assert first == 1


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "cuda:7"])
def test_a_device_that_was_named_is_left_alone(tmp_path: Path, device: str) -> None:
    with reserved_device(device, tmp_path / "gpus", 1) as given:
        assert given == device
    assert not (tmp_path / "gpus").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_shared(lab: Lab, tmp_path: Path) -> None:
    with reserved_device("auto", tmp_path / "gpus", 1) as given:
        assert given == "auto"
    assert not (tmp_path / "gpus").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_job_takes_gpu_slot_on_a_gpu(lab: Lab, tmp_path: Path) -> None:
    with reserved_device("auto", tmp_path / "gpus", 1) as given:
        assert given == "cuda:0"
    assert list((tmp_path / "gpus" / ".locks").iterdir())
    assert lab.done("run.device=auto", "method=lp").env["device"] != "cpu"


def test_a_gpu_has_one_place_or_more(cli: Command) -> None:
    cli.run("run.jobs_per_gpu=0").refused("jobs_per_gpu must be ≥ 1, got 0")
