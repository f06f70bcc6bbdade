"""Worker processes end with the process that started them, from their start, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import Terminal, at_work, awaited, reached
from lab import ROOT, Lab, merged

SLOW = """
import sys, time
from pathlib import Path
from roftbench.data import workers as follow
from roftbench.data import parallel

def slow(texts):
    Path(sys.argv[2], str(len(list(Path(sys.argv[2]).iterdir())))).touch()
    time.sleep(600)

if __name__ == "__main__":
    parallel.joblib.cpu_count = lambda: 2
    if sys.argv[1] == "chunks":
        list(parallel.in_chunks(slow, ["C"] * 8000, "slow"))
    else:
        list(parallel.ahead(slow, ["C"] * 8, 2))
"""
ALONE = """
import os, sys, time
from roftbench.data import workers as follow
if sys.argv[1] == "thread":
    follow._is_killed_with_parent = lambda: False
if not os.fork():
    follow.follow(os.getppid(), sys.argv[1] != "secondary")
    print(flush=True)
    time.sleep(600)
time.sleep(600)
"""


@pytest.mark.parametrize("way", ["chunks", "ahead"])
def test_workers_on_molecules_end_with_a_killed_process(tmp_path: Path, way: str) -> None:
    script, marks = tmp_path / "slow.py", tmp_path / "marks"
    script.write_text(SLOW)
    marks.mkdir()
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(script), way, str(marks)]
    child = subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.DEVNULL)
    reached(child, lambda: list(marks.iterdir()))
    assert len(at_work(child.pid)) > 1
    child.kill()
    child.wait()
    awaited(lambda: not at_work(child.pid))  # a worker that nobody ends would wait for minutes


@pytest.mark.parametrize("way", ["system", "thread", "secondary"])
def test_a_process_ends_with_its_parent_whether_or_not_the_system_sees_to_it(way: str) -> None:
    env, pipe = {**os.environ, "PYTHONPATH": str(ROOT / "src")}, subprocess.PIPE
    command = [sys.executable, "-c", ALONE, way]
    with subprocess.Popen(command, env=env, start_new_session=True, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert len(at_work(child.pid)) == 2
        child.send_signal(signal.SIGKILL)
        child.wait()
        awaited(lambda: not at_work(child.pid))


@pytest.mark.slow
def test_workers_of_a_sweep_end_with_it_before_they_have_a_job(lab: Lab, tmp_path: Path) -> None:
    words = merged(["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"])
    command = [sys.executable, "-m", "roftbench", "run", "-m", *words]
    env, null = Terminal.of(lab, tmp_path).env, subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=tmp_path, env=env, start_new_session=True, stdout=null, stderr=null)
    reached(child, lambda: len(at_work(child.pid)) > 2)  # one of them is joblib's own
    assert not list(lab.results.glob("running/*.json"))
    child.kill()
    child.wait()
    awaited(lambda: not at_work(child.pid))
