import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import Command, Ended, Terminal, at_work
from lab import Lab, merged, numbers

from roftbench.data.workers import cores
from roftbench.store.record_schema import Record
from roftbench.store.results import Store
from roftbench.sweep.launchers import check_installed, threads, workers

# Long enough that the jobs of two workers overlap; those of one seed share a fit.
SWEEP = ("method=full_ft,wise_ft", "seed=0,1", "train.epochs=12")
LAUNCHERS = {
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra/launcher=submitit_local",),
}
WAIT_SECONDS = 240
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}  # Ray would write one into the home folder


def records(store: Store) -> dict[str, Record]:
    return {record.key: numbers(record) for record in store.load()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, Record]:
    """The records of the sweep, run job after job in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    lab = Lab(folder / "results", cache)
    assert Terminal.of(lab, folder)("run", "-m", *merged(SWEEP)).code == 0
    found = records(lab.store)
    assert len(found) == 4
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Ray cluster of two nodes with a core each."""
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    common = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
    folder = tmp_path_factory.mktemp("cluster")
    short = tempfile.mkdtemp(prefix="ray")  # the paths of sockets must be short
    head = [
        "--head",
        f"--port={address.rpartition(':')[2]}",
        "--include-dashboard=false",
        "--node-ip-address=127.0.0.1",
    ]
    terminal = Terminal.of(Lab(folder, folder), folder, **NO_TOKEN)
    nodes = [started(terminal, [*head, *common])]
    try:
        await_nodes(terminal, address, 1)
        nodes.append(started(terminal, [f"--address={address}", *common]))
        await_nodes(terminal, address, 2)
        yield address
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait(30)
        shutil.rmtree(short, ignore_errors=True)


def started(terminal: Terminal, arguments: list[str]) -> "subprocess.Popen[bytes]":
    code = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "start", *arguments]
    out = (terminal.cwd / "ray.log").open("ab")
    with out:
        return subprocess.Popen(command, cwd=terminal.cwd, env=terminal.env, stdout=out, stderr=out)


def await_nodes(terminal: Terminal, address: str, count: int) -> None:
    code = f"""
import ray, time
ray.init({address!r}, log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < {count}:
    time.sleep(0.2)
"""
    for _ in range(5):
        done = terminal.python("-c", code)
        if done.code == 0:
            return
        time.sleep(2)
    raise AssertionError((done.err, (terminal.cwd / "ray.log").read_text()))


def killed(terminal: Terminal, store: Store, arguments: list[str]) -> tuple[Ended, str]:
    """Run `roftbench`, kill the first process that has a job at work, and return how it ended, and the job's key."""
    command = [sys.executable, "-m", "roftbench", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=terminal.cwd, env=terminal.env, stdout=pipe, stderr=pipe, text=True) as child:
        end = time.monotonic() + WAIT_SECONDS
        while not (marks := list((store.root / "running").glob("*.json"))):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        mark = json.loads(marks[0].read_text())
        assert mark["process"] != child.pid
        os.kill(mark["process"], signal.SIGKILL)
        out, err = child.communicate()
    return Ended(child.returncode, out, err), marks[0].stem


def survives(lab: Lab, folder: Path, launcher: list[str], expected: dict[str, Record]) -> str:
    """Kill a worker in the middle of a sweep, repeat the sweep, and compare; returns what the first one printed."""
    terminal = Terminal.of(lab, folder, **NO_TOKEN)
    arguments = ["run", "-m", *merged(SWEEP), *launcher]
    first, key = killed(terminal, lab.store, arguments)
    assert first.code == 0, first
    assert key in expected
    assert "a worker process was lost" in first.out
    assert "4 jobs: 4 done, 0 skipped, 0 failed" in first.out
    written = {path: path.stat().st_mtime_ns for path in (lab.results / "runs").glob("*.json")}
    again = terminal(*arguments)
    assert again.code == 0, again
    assert "4 jobs: 4 done, 0 failed before, 0 to run" in again.out
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert records(lab.store) == expected
    assert not list((lab.results / "running").glob("*.json"))
    assert not lab.store.load_failures()
    return first.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "reason"),
    [
        ("joblib", "TerminatedWorkerError"),
        pytest.param("submitit_local", "UncompletedJobError", marks=pytest.mark.whole),  # as tests/sweep/test_slurm.py
    ],
)
def test_a_killed_worker_costs_its_job_a_second_launch(
    lab: Lab, tmp_path: Path, launcher: str, reason: str, undisturbed: dict[str, Record]
) -> None:
    assert reason in survives(lab, tmp_path, list(LAUNCHERS[launcher]), undisturbed)


@pytest.mark.slow
def test_a_killed_worker_of_a_ray_cluster(
    lab: Lab, tmp_path: Path, cluster: str, undisturbed: dict[str, Record]
) -> None:
    launcher = ["hydra/launcher=ray", f"hydra.launcher.address='{cluster}'"]
    assert "WorkerCrashedError" in survives(lab, tmp_path, launcher, undisturbed)


@pytest.mark.slow
def test_a_termination_signal_ends_a_ray_sweep_as_any_command(tmp_path: Path, cluster: str) -> None:
    """Ray's own handler of SIGTERM would abort the process: exit code -6."""
    terminal = Terminal.of(Lab(tmp_path, tmp_path), tmp_path, **NO_TOKEN)
    code = (
        "import os, signal; from hydra_plugins.roftbench_ray import _connected\n"
        f"with _connected({cluster!r}): os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert terminal.python("-c", code).code == -signal.SIGTERM


@pytest.mark.slow
@pytest.mark.whole
def test_the_process_that_waits_is_killed_its_workers_end_and_the_same_command_goes_on(
    lab: Lab, tmp_path: Path, undisturbed: dict[str, Record]
) -> None:
    terminal = Terminal.of(lab, tmp_path)
    arguments = ["run", "-m", *merged(SWEEP), *LAUNCHERS["joblib"]]
    with terminal.killed(*arguments, when=lambda: list(lab.results.glob("running/*.json"))) as group:
        assert len(lab.store.load()) < 4
        again = terminal(*arguments)  # at once: the workers may still be at their jobs
        end = time.monotonic() + WAIT_SECONDS
        while left := at_work(group):
            assert time.monotonic() < end, left
            time.sleep(0.1)
    assert again.code == 0, again
    assert "\n4 jobs: 4 done" in again.out
    assert records(lab.store) == undisturbed
    assert sum("ft" in record.seconds for record in lab.store.load()) <= 2  # of each seed one fit, which is shared
    assert not lab.store.load_failures()


PLUGIN = '''
import os
from dataclasses import dataclass
from pathlib import Path
from roftbench.methods.base import Finished, Method

@dataclass(frozen=True)
class Deadly(Method):
    """Full fine-tuning that kills its process at the end, until a file `mended` is there."""

    def finish(self, fitted):
        if not (Path(__file__).parent / "mended").exists():
            os.kill(os.getpid(), 9)
        return Finished(fitted.tuned)
'''


@pytest.mark.slow
@pytest.mark.whole
def test_a_job_that_kills_its_worker_twice_is_a_failure_and_costs_no_other_job(
    lab: Lab, tmp_path: Path, cli: Command
) -> None:
    own = tmp_path / "own"
    (own / "method").mkdir(parents=True)
    (own / "deadly.py").write_text(PLUGIN)
    (own / "method" / "deadly.yaml").write_text("name: deadly\n_target_: deadly.Deadly\n")
    more = [f"--config-dir={own}", f"plugins=[{own / 'deadly.py'}]", "method=deadly,full_ft,lp", "seed=0"]
    ended = Terminal.of(lab, tmp_path)("run", "-m", *merged(more), *LAUNCHERS["joblib"])
    assert ended.code == 1, ended
    assert "\n3 jobs: 2 done, 0 skipped, 1 failed\n" in ended.out
    assert {record.job["method"]["name"] for record in lab.store.load()} == {"full_ft", "lp"}
    [failure] = lab.store.load_failures()
    assert failure.error.startswith("its worker process was lost twice (TerminatedWorkerError: ")
    assert failure.error in ended.out.partition("1 failed\n")[2]
    assert not list((lab.results / "running").glob("*.json"))
    assert "Traceback" not in ended.err

    (own / "mended").touch()
    [command] = re.findall(r"^  failed: (roftbench run .*)$", ended.out, re.MULTILINE)
    repeated = cli(*shlex.split(command)[1:])
    assert repeated.code == 0, repeated
    assert len(lab.store.load()) == 3
    assert not lab.store.load_failures()


def config(name: str, **more: object) -> dict[str, object]:
    return {"_target_": f"somewhere.{name}", **more}


def test_workers_and_their_threads() -> None:
    assert (workers(config("BasicLauncher")), threads(config("BasicLauncher"))) == (1, None)
    assert workers(config("JoblibLauncher", n_jobs=3)) == 3
    assert workers(config("JoblibLauncher", n_jobs=-1)) == cores()
    assert workers(config("JoblibLauncher", n_jobs=-100)) == 1
    assert threads(config("JoblibLauncher", n_jobs=cores())) == 1
    assert threads(config("JoblibLauncher", n_jobs=1)) is None
    assert threads(config("JoblibLauncher", n_jobs=100 * cores())) == 1
    assert (workers(config("SlurmLauncher")), threads(config("SlurmLauncher", cpus_per_task=6))) == (None, 6)
    assert threads(config("LocalLauncher", cpus_per_task=None)) == 1
    assert threads(config("RayLauncher", num_cpus=4)) == 4
    assert threads(config("RayLauncher", num_cpus=0.5)) == 1


def test_a_job_gets_the_threads_of_its_launcher(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal.of(lab, tmp_path)
    more = ["hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=2", "run.threads=null", "seed=0"]
    ended = terminal("run", "-m", *merged(["method=lp", "train.epochs=1"]), *more)
    assert ended.code == 0, ended
    (record,) = lab.store.load()
    assert record.env["threads"] == 2


@pytest.mark.parametrize(
    ("launcher", "module", "extra"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher", "joblib"),
        ("slurm", "hydra_plugins.hydra_submitit_launcher", "slurm"),
        ("ray", "ray", "ray"),
    ],
)
def test_a_launcher_that_is_not_installed_names_its_extra(
    cli: Command, monkeypatch: pytest.MonkeyPatch, launcher: str, module: str, extra: str
) -> None:
    monkeypatch.setattr("roftbench.sweep.launchers.find_spec", lambda name: None if name == module else find_spec(name))
    cli("run", "-m", *merged(["seed=0,1"]), f"hydra/launcher={launcher}").refused(f"pip install 'roftbench[{extra}]'")
    assert cli.files() == []


@pytest.mark.whole
def test_what_comes_with_hydra_needs_no_extra() -> None:
    check_installed(config("BasicLauncher"))
