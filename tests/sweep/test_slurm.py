"""Sweeps on a real Slurm of one node, and how its tasks are awaited."""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Command, Ended, Terminal, awaited, ended, reached
from lab import Lab, merged, numbers
from slurm_node import SlurmNode, lacking, slurm_node

pytest.importorskip("submitit")

from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.slurm.slurm import SlurmJob

from roftbench.sweep import slurm

LAUNCHER = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1")
HELD = '''
import time
from dataclasses import dataclass
from pathlib import Path
from roftbench.methods.base import Finished, Method

@dataclass(frozen=True)
class Held(Method):
    """Full fine-tuning that waits at its end for a file `open`, and says so by one of its own."""

    def finish(self, fitted):
        folder = Path(__file__).parent
        (folder / f"held-{time.monotonic_ns()}").touch()
        for _ in range(15000):
            if (folder / "open").exists():
                break
            time.sleep(0.02)
        return Finished(fitted.tuned)
'''


def started(*, accounting: bool) -> Iterator[SlurmNode]:
    if lacks := lacking(accounting=accounting):
        if os.environ.get("ROFTBENCH_SLURM") == "1":
            pytest.fail(f"not found: {lacks}; ROFTBENCH_SLURM=1 asks for Slurm")
        pytest.skip(f"not found: {lacks}")
    with slurm_node(accounting=accounting) as node:
        yield node


@pytest.fixture(scope="module")
def node() -> Iterator[SlurmNode]:
    """A Slurm without accounting."""
    yield from started(accounting=False)


@pytest.fixture(scope="module")
def counted() -> Iterator[SlurmNode]:
    """A Slurm with accounting."""
    yield from started(accounting=True)


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A folder with a method that ends once a file `open` is there."""
    own = tmp_path / "own"
    (own / "method").mkdir(parents=True)
    (own / "held.py").write_text(HELD)
    (own / "method" / "held.yaml").write_text("name: held\n_target_: held.Held\n")
    return own


def arguments(held: Path, *more: str) -> list[str]:
    own = [f"--config-dir={held}", f"plugins=[{held / 'held.py'}]"]
    return ["run", "-m", *merged([*own, "method=held", *more]), *LAUNCHER]


def holding(held: Path, count: int) -> Callable[[], bool]:
    return lambda: len(list(held.glob("held-*"))) >= count


def quiet(done: Ended) -> None:
    """Assert that nothing was printed but what the sweep says itself."""
    assert done.err == ""
    for word in ("sacct", "submitit", "accounting", "squeue", "Traceback"):
        assert word not in done.out.replace(".submitit", "")


@pytest.mark.slow
def test_a_task_that_is_killed_and_one_that_runs_out_of_time_are_run_again(
    lab: Lab, tmp_path: Path, held: Path, node: SlurmNode
) -> None:
    terminal = Terminal.of(lab, tmp_path, **node.env)
    child = terminal.begun(*arguments(held, "seed=0,1,2"), "hydra.launcher.timeout_min=10")
    reached(child, holding(held, 3))
    first, second, third = sorted(node.queue())
    node.call("scancel", "--signal=KILL", first)
    node.call("scontrol", "update", f"JobId={second}", "EndTime=now+1")
    node.call("scancel", "--signal=USR2", third)  # that of the time limit, which submitit makes an exception of
    awaited(lambda: list(node.queue()) == [third])
    (held / "open").touch()
    done = ended(child)
    assert done.code == 0, done
    words = f"Slurm task {first} ended as CANCELLED; Slurm task {second} ended as TIMEOUT: raise"
    assert f"a worker process was lost (UncompletedJobError: {words} hydra.launcher.timeout_min, 10 now)" in done.out
    assert "\n3 jobs: 3 done, 0 skipped, 0 failed" in done.out
    quiet(done)
    assert not list(lab.results.glob("running/*.json"))
    there = {record.key: numbers(record) for record in lab.store.load()}
    again = lab.elsewhere("undisturbed")
    own = [f"--config-dir={held}", f"plugins=[{held / 'held.py'}]", "method=held"]
    expected = [numbers(again.done(*own, f"seed={seed}")) for seed in range(3)]
    assert there == {record["key"]: record for record in expected}


@pytest.mark.slow
def test_a_sweep_waits_for_a_drained_node_in_arrays_that_slurm_takes(lab: Lab, tmp_path: Path, node: SlurmNode) -> None:
    assert node.limit == 4
    node.call("scontrol", "update", "NodeName=node", "State=drain", "Reason=test")
    terminal = Terminal.of(lab, tmp_path, **node.env)
    child = terminal.begun("run", "-m", *merged(["method=lp", "seed=0,1,2,3,4"]), *LAUNCHER)
    reached(child, lambda: len(node.queue()) == 4)
    assert set(node.queue().values()) == {"PENDING"}
    assert child.stdout is not None
    line = next(line for line in child.stdout if line.startswith("Slurm has"))
    assert re.fullmatch(r"Slurm has 4 tasks waiting: .*(?i:drained|unavailable).*\n", line)
    node.call("scontrol", "update", "NodeName=node", "State=resume")
    done = ended(child)
    assert done.code == 0, done
    assert "\n5 jobs: 5 done, 0 skipped, 0 failed" in done.out
    assert "waiting" not in done.out  # said once
    quiet(done)


@pytest.mark.slow
def test_a_killed_task_where_slurm_keeps_accounts(lab: Lab, tmp_path: Path, held: Path, counted: SlurmNode) -> None:
    terminal = Terminal.of(lab, tmp_path, **counted.env)
    child = terminal.begun(*arguments(held, "seed=0"))
    reached(child, holding(held, 1))
    [task] = counted.queue()
    counted.call("scancel", "--signal=KILL", task)
    awaited(lambda: not counted.queue())
    assert "CANCELLED" in counted.call("sacct", "--allocations", "--noheader", f"--jobs={task}", "--format=State%30")
    (held / "open").touch()
    done = ended(child)
    assert done.code == 0, done
    assert f"Slurm task {task} ended as CANCELLED" in done.out
    assert "\n1 job: 1 done, 0 skipped, 0 failed" in done.out
    quiet(done)


def squeue(folder: Path, text: str, code: int = 0) -> None:
    """Put a `squeue` into a folder that prints a text."""
    (folder / "queue").write_text(text)
    program = folder / "squeue"
    program.write_text(
        f"#!/bin/sh\n/bin/cat {folder / 'queue'}\n[ {code} = 0 ] || echo no controller >&2\nexit {code}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def watcher(count: int, interrupted: Callable[[], bool] = lambda: False) -> slurm.QueueWatcher:
    """Return a watcher of an array of tasks, registered as submitit does."""
    made = slurm.QueueWatcher([interrupted] * count)
    for number in ["7", *(f"7_{place}" for place in range(count))]:
        made.register_job(number)
    return made


def test_the_queue_decides_which_tasks_have_ended(path: Path) -> None:
    one = watcher(12)
    states = ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "CONFIGURING"]
    final = ["COMPLETED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "FAILED"]
    rows = [f"7_{place}|{state}|None" for place, state in enumerate(states + final)]
    squeue(path, "\n".join([*rows, "8_0|FAILED|None", ""]))
    one.update()
    assert [one.is_done(f"7_{place}", mode="cache") for place in range(12)] == [False] * 6 + [True] * 6
    assert [one.get_state(f"7_{place}", mode="cache") for place in range(6, 12)] == final
    squeue(path, "7_1|RUNNING|None\n")  # it has forgotten the others
    one.update()
    assert [one.is_done(f"7_{place}", mode="cache") for place in range(6)] == [True, False, True, True, True, True]


def test_a_task_that_was_never_in_the_queue_is_not_taken_for_an_ended_one(path: Path) -> None:
    one = watcher(2)
    squeue(path, "")
    assert not one.is_done("7_0", mode="force")


@pytest.mark.parametrize("seen", ["COMPLETING", "nothing"])
def test_where_the_queue_does_not_decide_the_store_does(
    lab: Lab, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seen: str
) -> None:
    monkeypatch.setattr(slurm, "GONE_SECONDS", 0.3)
    code = "import sys, time; from pathlib import Path; from roftbench.store.results import Store\n"
    code += "with Store(Path(sys.argv[1])).claim('k'): print(1, flush=True); time.sleep(60)"
    holder = Terminal.of(lab, path).popen("-c", code, str(lab.results))
    assert holder.stdout is not None
    assert holder.stdout.readline()
    one = watcher(2, lambda: lab.store.interrupted("k"))
    squeue(path, "7_0|COMPLETING|None\n7_1|RUNNING|None\n", code=int(seen == "nothing"))
    assert not one.is_done("7_0", mode="force")
    time.sleep(0.4)
    assert not one.is_done("7_0", mode="force")  # its process is there
    with holder:
        holder.kill()
    assert not one.is_done("7_0", mode="force")
    time.sleep(0.4)
    assert one.is_done("7_0", mode="force")
    assert one.is_done("7_1", mode="cache") == (seen == "nothing")
    told = capsys.readouterr().out
    assert told.count("does not answer (no controller)") == (seen == "nothing")
    assert "sacct" not in told


def launch(launcher: dict[str, Any], count: int) -> None:
    """Lose the first job of a launch, as submitit does."""
    with slurm.tasks(launcher, [lambda: False] * count):
        for number in range(count):
            SlurmJob.watcher.register_job(f"7_{number}")
        raise UncompletedJobError


def test_what_a_lost_task_has_written_last_is_told(tmp_path: Path, path: Path) -> None:
    squeue(path, "7_0|COMPLETED|None\n7_1|FAILED|NonZeroExitCode\n7_2|OUT_OF_MEMORY|OutOfMemory\n")
    launcher = {"submitit_folder": str(tmp_path / "%j"), "mem_gb": 3}
    for number in range(3):
        (tmp_path / f"7_{number}").mkdir()
    (tmp_path / "7_0" / "7_0_0_result.pkl").touch()
    (tmp_path / "7_1" / "7_1_0_log.err").write_text("Traceback\nModuleNotFoundError: No module named 'roftbench'\n\n")
    before = SlurmJob.watcher
    with pytest.raises(UncompletedJobError) as raised:
        launch(launcher, 3)
    log = tmp_path / "7_1" / "7_1_0_log.err"
    assert str(raised.value) == (
        f"Slurm task 7_1 ended as FAILED: ModuleNotFoundError: No module named 'roftbench' (log: {log});"
        " Slurm task 7_2 ended as OUT_OF_MEMORY: raise hydra.launcher.mem_gb, 3 now"
    )
    assert SlurmJob.watcher is before


def test_a_task_that_cannot_begin_its_job_says_why_once(tmp_path: Path, path: Path) -> None:
    squeue(path, "7|FAILED|NonZeroExitCode\n")
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "7_0_result.pkl").touch()
    trace = "Job (task=0) failed during processing with trace:\n-----\nTraceback\nValueError: no such thing\n\n-----\n"
    error = FailedJobError(f"{trace}You can check full logs with 'job.stderr(0)'or at paths:\n  - a\n  - b")
    with pytest.raises(FailedJobError) as raised, slurm.tasks({"submitit_folder": str(tmp_path / "%j")}, [bool]):
        raise error
    assert str(raised.value) == "ValueError: no such thing"


def test_where_slurm_says_no_limit_an_array_may_have_any_number(path: Path) -> None:
    assert slurm.array_limit() is None


WARNED = """
import os, signal
from roftbench.sweep.slurm import outlast_warning
def handler(number, frame):
    raise {error}
signal.signal(signal.SIGUSR2, handler)
outlast_warning()
try:
    os.kill(os.getpid(), signal.SIGUSR2)
    print("goes on")
except BaseException as error:
    print("fails by", repr(error))
"""


@pytest.mark.parametrize(("error", "expected"), [("SystemExit(-1)", (1, "")), ("RuntimeError()", (0, "goes on\n"))])
def test_a_job_that_is_put_into_the_queue_again_ends_as_if_killed_and_any_other_goes_on(
    lab: Lab, tmp_path: Path, error: str, expected: tuple[int, str]
) -> None:
    done = Terminal.of(lab, tmp_path).python("-c", WARNED.format(error=error))
    assert (done.code, done.out) == expected, done


def test_a_signal_that_leaves_no_time_for_a_job_is_refused(cli: Command, path: Path) -> None:
    more = ["hydra.launcher.timeout_min=2", "hydra.launcher.max_num_timeout=1"]
    done = cli.run("-m", "seed=0,1", *LAUNCHER, *more)
    done.refused("hydra.launcher.signal_delay_s=120", "hydra.launcher.timeout_min=2", "less than 60 s")
    assert cli.files() == []
