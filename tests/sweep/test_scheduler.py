"""What may go wrong in a sweep: only what is missing is done again, no job costs another one, nothing counts twice."""

import re
import resource
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import Command, Terminal, ended, reached
from lab import Lab, merged, molecules, numbers, write_csv

from roftbench.errors import JobError
from roftbench.runner.run import run_job
from roftbench.store.record_schema import Record
from roftbench.sweep import scheduler as sweep
from roftbench.sweep.launchers import EXTRAS
from roftbench.sweep.scheduler import JobReply, Scheduler

# Two searches of ROFT-MOL, each a fit and four candidates that learn from it; every stage long enough to be met.
SEARCHES = ("seed=0,1", "method=roftmol,lp", "method.search=true", "train.epochs=5", "train.interpolation_epochs=25")


@pytest.fixture
def terminal(lab: Lab, cli: Command) -> Terminal:
    """Calls in processes of their own, with the lab's folders."""
    return Terminal.of(lab, Path.cwd())


def records(lab: Lab) -> dict[str, Record]:
    return {record.key: numbers(record) for record in lab.store.load()}


def contents(folder: Path, pattern: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.glob(pattern)}


def summary(out: str) -> str:
    return out.rstrip().rpartition("\n\n")[2].partition("\nnext: ")[0]


@pytest.mark.slow
def test_a_sweep_killed_three_times_does_only_what_is_missing_candidate_by_candidate(
    lab: Lab, cli: Command, terminal: Terminal
) -> None:
    """Killed at the start, within the first search, and within the second; then run to the end."""
    elsewhere = lab.elsewhere("undisturbed")
    for seed in (0, 1):
        for method in ("lp", "roftmol"):
            elsewhere.done(f"seed={seed}", f"method={method}", *SEARCHES[2:])
    arguments = ["run", "-m", *merged(SEARCHES)]
    kept: dict[Path, bytes] = {}

    def there() -> dict[Path, bytes]:
        return contents(lab.results, "stages/*.safetensors") | contents(lab.results, "runs/*.json")

    with terminal.killed(*arguments, when=lambda: list(lab.results.glob("running/*.json"))):
        assert lab.store.load() == []
    for count in (3, 8):  # seed 0: 1 + 4 of ROFT-MOL, 1 of linear probing; then those of seed 1
        with terminal.killed(*arguments, when=lambda count=count: len(lab.stages()) >= count):
            assert count <= len(lab.stages()) < 12
            assert kept.items() <= there().items()
            kept = there()
    done = len(lab.store.load())
    assert 2 <= done < 4

    last = cli(*arguments)
    assert last.code == 0, last
    assert f"\n4 jobs: {done} done, 0 failed before, {4 - done} to run\n" in last.out
    assert summary(last.out) == f"4 jobs: 4 done ({done} of them before), 0 skipped, 0 failed"
    assert kept.items() <= there().items()  # nothing was done a second time: a fit's file holds its seconds
    assert len(lab.stages()) == 12
    searches = [record for record in lab.store.load() if record.job["method"]["name"] == "roftmol"]
    for record in searches:
        assert {"ft (reused)", "finish (reused)"} <= record.seconds.keys()
        assert len(record.candidates) == 4
    assert records(lab) == records(elsewhere)
    assert not list(lab.results.glob("running/*.json"))


def test_the_same_jobs_in_another_order_or_alone_are_done_already(lab: Lab, cli: Command) -> None:
    assert cli.run("-m", "method=lp,full_ft", "seed=0,1").code == 0
    written = contents(lab.results, "runs/*.json")
    assert len(written) == 4
    other = cli("run", "-m", *reversed(merged(["seed=1,0", "method=full_ft,lp"])))
    assert other.out.startswith("4 jobs: 4 done, 0 failed before, 0 to run\n")
    assert "already done" in cli.run("method=lp", "seed=1").out
    assert contents(lab.results, "runs/*.json") == written


def test_a_line_a_job_says_how_many_there_are_and_how_long_they_will_take(cli: Command) -> None:
    lines = re.findall(r"^job .*$", cli.run("-m", "method=lp", "seed=0,1,2").out, re.MULTILINE)
    assert [line.partition(":")[0].split(",")[0] for line in lines] == ["job 1 of 3", "job 2 of 3", "job 3 of 3"]
    assert [re.search(r"^job \d of 3, \d.* left: ", line) is not None for line in lines] == [False, True, True]


PLUGIN = '''
import os, sys, torch
from dataclasses import dataclass
from pathlib import Path
from roftbench.methods.base import Finished, Method
from roftbench.models.gin import GIN

HERE = Path(__file__).parent

@dataclass(frozen=True)
class Fragile(Method):
    """Full fine-tuning that comes to the end that is asked for, until a file `mended` is there."""

    end: str = "good"

    def finish(self, fitted):
        if not (HERE / "mended").exists():
            if self.end == "exit":
                sys.exit(0)
            if self.end == "memory":
                raise MemoryError("none left")
            if self.end == "file":
                open("/no/such/file")
            if self.end == "kill":
                os.kill(os.getpid(), 9)
        return Finished(fitted.tuned)

class Broken(GIN):
    """An encoder that cannot be made where it gets weights."""

    def __init__(self, dim: int = 16):
        super().__init__(num_layers=2, dim=dim)
        if self.device_of_weights() != "meta" and not (HERE / "mended").exists():
            raise KeyError("no weights")

    def device_of_weights(self):
        return next(self.parameters()).device.type
'''


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    """A folder of configs with a method that fails as it is told, and an encoder that cannot be made."""
    folder = tmp_path / "own"
    for group in ("method", "model"):
        (folder / group).mkdir(parents=True)
    (folder / "fragile_code.py").write_text(PLUGIN)
    (folder / "method" / "fragile.yaml").write_text("name: fragile\n_target_: fragile_code.Fragile\nend: good\n")
    (folder / "model" / "broken.yaml").write_text("name: broken\n_target_: fragile_code.Broken\ndim: 16\n")
    return folder


def own(folder: Path) -> list[str]:
    return [f"--config-dir={folder}", f"plugins=[{folder / 'fragile_code.py'}]"]


def failures(out: str) -> dict[str, dict[str, str]]:
    """Return the table of failed jobs, by the command that repeats each."""
    rows = re.findall(r"^  failed: (.*)\n {10}(.*)\n {10}log: (.*)$", out, re.MULTILINE)
    return {command: {"reason": reason, "log": log} for command, reason, log in rows}


def test_whatever_a_job_does_costs_no_other_job_and_its_command_repeats_it(
    lab: Lab, cli: Command, fragile: Path
) -> None:
    ends = {"exit": "SystemExit(0)", "memory": "MemoryError: none left", "file": "/no/such/file"}
    ended = cli.run("-m", *own(fragile), "method=fragile", f"method.end={','.join(ends)},good")
    assert ended.code == 1
    assert "\n4 jobs: 1 done, 0 skipped, 3 failed\n" in ended.out
    assert ended.err.startswith("roftbench: 3 of 4 jobs failed (")
    table = failures(ended.out)
    assert len(table) == 3
    for (end, reason), (command, row) in zip(ends.items(), table.items(), strict=True):
        assert f"method.end={end}" in command
        assert reason in row["reason"]
        assert reason in Path(row["log"]).read_text()
    assert "Traceback" in Path(list(table.values())[1]["log"]).read_text()
    assert [record.job["method"]["params"]["end"] for record in lab.store.load()] == ["good"]

    (fragile / "mended").touch()
    repeated = cli(*shlex.split(list(table)[1])[1:])  # as it was printed
    assert repeated.code == 0, repeated
    assert len(lab.store.load()) == 2
    assert len(lab.store.load_failures()) == 2


def test_a_job_that_cannot_even_be_loaded_costs_no_other_job(lab: Lab, cli: Command, fragile: Path) -> None:
    ended = cli.run("-m", *own(fragile), "model=broken,tiny_gin", "method=lp")
    assert ended.code == 1
    assert "\n2 jobs: 1 done, 0 skipped, 1 failed\n" in ended.out
    [row] = failures(ended.out).values()
    assert re.fullmatch(r"KeyError: 'no weights' \(fragile_code\.py, line \d+\)", row["reason"])
    assert [record.job["model"]["name"] for record in lab.store.load()] == ["tiny_gin"]


def test_what_killed_its_process_comes_last_in_the_next_sweep(lab: Lab, terminal: Terminal, fragile: Path) -> None:
    arguments = ["run", "-m", *merged(["method=fragile"]), *own(fragile), "method.end=kill,good"]
    assert terminal(*arguments).code == -9
    assert lab.store.load() == []
    assert terminal(*arguments).code == -9
    assert [record.job["method"]["params"]["end"] for record in lab.store.load()] == ["good"]


@pytest.mark.slow
def test_two_sweeps_at_once_share_the_work_and_do_nothing_twice(lab: Lab, cli: Command, terminal: Terminal) -> None:
    more = ("method=full_ft,wise_ft,lp", "train.epochs=40")
    sweeps = [terminal.begun("run", "-m", *merged([*more, f"seed={seeds}"])) for seeds in ("0,1,2", "2,1,0")]
    both = [ended(child) for child in sweeps]
    for one in both:
        assert one.code == 0, one
        assert summary(one.out).startswith("9 jobs: 9 done")
    fits = sum(path.read_text().count(" for 40 epochs ") for path in (lab.results / "logs").glob("*.log"))
    assert fits == 6  # of each seed full fine-tuning, which is shared, and linear probing
    assert all("\n  rmse: val " in one.out for one in both), both
    found = lab.store.load()
    assert len(found) == len({record.key for record in found}) == 9
    assert sum("ft" in record.seconds for record in found) == 3
    assert lab.store.load_failures() == []
    elsewhere = lab.elsewhere("alone")
    for seed in (0, 1, 2):
        for method in ("full_ft", "wise_ft", "lp"):
            elsewhere.done(f"method={method}", f"seed={seed}", more[1])
    assert records(lab) == records(elsewhere)


def test_a_sweep_waits_for_the_job_that_another_process_has_at_work_and_takes_it_over(
    lab: Lab, terminal: Terminal
) -> None:
    job, _ = lab.job("method=lp", "seed=0")
    lab.store.check_writable()
    with lab.store.claim(job.key):
        child = terminal.begun("run", "-m", *merged(["method=lp", "seed=0,1"]))
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("waiting for"):
                break
        assert line == "waiting for 1 job that another sweep is running\n"
        assert [record.job["seed"] for record in lab.store.load()] == [1]
    done = ended(child)  # who had it has left without a record
    assert done.code == 0, done
    assert summary(done.out) == "2 jobs: 2 done, 0 skipped, 0 failed"
    assert len(lab.store.load()) == 2


def test_a_launcher_that_stops_between_two_jobs_is_started_again(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that dies while it has no job at work leaves no mark of a lost one."""
    plan = lab.plan("method=lp", "seed=0,1,2")
    launched: list[int] = []

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        launched.append(len(batch))
        own = [text for text in batch[0] if not text.startswith("paths.")]
        lab.done(*own)
        if len(batch) > 1:
            raise RuntimeError("a worker has left")
        return []

    Scheduler(plan, launch, {"_target_": "somewhere.RayLauncher"}, ["roftbench", "run"]).run()
    assert launched == [3, 2, 1]
    out = capsys.readouterr().out
    assert "a worker process was lost (RuntimeError: a worker has left); still to be run: 2 jobs" in out
    assert summary(out) == "3 jobs: 3 done, 0 skipped, 0 failed"


class UncompletedJobError(Exception):
    """Of the name that submitit's has."""


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_worker_that_is_killed_before_it_has_a_job_gets_a_second_try(
    lab: Lab, capsys: pytest.CaptureFixture[str], deaths: int
) -> None:
    plan = lab.plan("method=lp", "seed=0")
    launched: list[int] = []

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        launched.append(number)
        if len(launched) <= deaths:
            raise UncompletedJobError("CANCELLED")
        outcome = lab.run(*(text for text in batch[0] if not text.startswith("paths.")))
        return [JobReply(number, plan.jobs[number].key, outcome.status != "busy", "")]

    one = Scheduler(plan, launch, {"_target_": "somewhere.RayLauncher"}, ["roftbench", "run"])
    if deaths == 1:
        one.run()
        assert (
            "a worker process was lost (UncompletedJobError: CANCELLED); still to be run: 1 job"
            in capsys.readouterr().out
        )
        assert len(lab.store.load()) == 1
    else:
        with pytest.raises(JobError, match="the launcher failed before any of 1 jobs began: UncompletedJobError"):
            one.run()
    assert launched == [0, 0]


@pytest.mark.whole
def test_a_table_that_is_changed_meanwhile_ends_the_sweep_with_one_message(
    lab: Lab, terminal: Terminal, tmp_path: Path
) -> None:
    smiles, y = molecules("esol", lab.job()[0], 81)
    table = write_csv(tmp_path / "mine.csv", {"smiles": smiles[:80], "y": y[:80]})
    words = ["dataset=csv", f"dataset.path={table}", "label_ratio=n50", "method=lp", "seed=0,1,2"]
    child = terminal.begun("run", "-m", *merged(words))
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("job 2 of 3"):
            write_csv(table, {"smiles": smiles, "y": y})
            break
    done = ended(child)
    assert done.code == 1, done
    assert done.err.count("has changed since the sweep began") == 1
    assert "the same command continues with what is there now" in done.err
    again = terminal("run", "-m", *merged(words))
    assert summary(again.out).startswith("3 jobs: 3 done")


def test_a_disk_that_is_full_in_the_middle_ends_the_sweep_with_one_message_and_loses_nothing(
    lab: Lab, cli: Command, terminal: Terminal
) -> None:
    """From a moment on the system lets the process write no byte into any file."""
    sweep = ("method=lp", "seed=0,1,2,3,4", "train.epochs=50")
    child = terminal.begun("run", "-m", *merged(sweep))
    reached(child, lambda: list(lab.results.glob("runs/*.json")))
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    done = ended(child)
    assert done.code == 1, done
    [message] = [line for line in done.err.splitlines() if "be written" in line]
    assert re.search(rf"{lab.results} (cannot|can no longer) be written: File too large", message)
    assert message.endswith("Finished jobs are kept; the same command continues.")
    assert "Traceback" not in done.err + done.out
    kept = contents(lab.results, "runs/*.json")
    assert 1 <= len(kept) < 5
    assert lab.store.load_failures() == []
    assert not [path for path in lab.results.rglob("*") if path.suffix == ".tmp"]

    again = cli.run("-m", *sweep)
    assert again.code == 0, again
    assert again.out.startswith(f"5 jobs: {len(kept)} done, 0 failed before, {5 - len(kept)} to run\n")
    assert kept.items() <= contents(lab.results, "runs/*.json").items()
    assert len(lab.store.load()) == 5


# Root may write anywhere, unless it gives that right away for good.
UNPRIVILEGED = """
import ctypes, os, sys
CAPBSET_DROP, DAC_OVERRIDE = 24, 1
ctypes.CDLL(None).prctl(CAPBSET_DROP, DAC_OVERRIDE, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "roftbench", *sys.argv[1:]])
"""


@pytest.mark.whole
def test_a_read_only_store_is_refused_before_any_job_and_still_tells_what_is_done(
    lab: Lab, cli: Command, terminal: Terminal
) -> None:
    done = cli.run("-m", "method=lp", "seed=0,1")
    assert done.code == 0
    before = cli.files()
    folders = [lab.results, *(path for path in lab.results.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        refused = terminal.python("-c", UNPRIVILEGED, "run", "-m", *merged(["method=lp", "seed=0,1,2"]))
        same = terminal.python("-c", UNPRIVILEGED, "run", "-m", *merged(["method=lp", "seed=0,1"]))
        single = terminal.python("-c", UNPRIVILEGED, "run", *merged(["method=lp", "seed=0"]))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    refused.refused(f"paths.results={lab.results} cannot be written: Permission denied", "Set paths.results")
    assert same.code == 0, same
    assert summary(same.out).startswith("2 jobs: 2 done (2 of them before)")
    assert single.code == 0, single
    assert "already done" in single.out
    assert cli.files() == before


def test_what_was_damaged_between_two_sweeps_is_named_once_and_done_again(
    lab: Lab, cli: Command, terminal: Terminal
) -> None:
    sweep = ("method=lp,lp_ft", "seed=0,1")
    assert cli.run("-m", *sweep).code == 0
    expected, before = records(lab), contents(lab.results, "runs/*.json")
    [cut] = [key for key, one in expected.items() if key_of(one) == ("lp_ft", 0)]
    [gone] = [key for key, one in expected.items() if key_of(one) == ("lp", 1)]
    cut_path, gone_path = lab.store.record_path(cut), lab.store.record_path(gone)
    cut_path.write_bytes(cut_path.read_bytes()[:-100])
    gone_path.unlink()
    for stage in lab.stages():
        stage.write_bytes(stage.read_bytes()[:-50])

    again = terminal.run("-m", *sweep)
    assert again.code == 0, again
    assert again.out.startswith("4 jobs: 2 done, 0 failed before, 2 to run\n")
    assert again.err.count(str(cut_path)) == 1
    named = re.findall(r"^roftbench: (\S+\.safetensors) is damaged .*: fitting that stage again$", again.err, re.M)
    assert len(named) == len(set(named)) == 3  # both of one job, and the one of the other
    assert records(lab) == expected
    whole = {path: content for path, content in before.items() if path not in (cut_path, gone_path)}
    assert whole.items() <= contents(lab.results, "runs/*.json").items()


def key_of(record: dict[str, Any]) -> tuple[str, int]:
    return record["job"]["method"]["name"], record["job"]["seed"]


def test_a_launcher_that_fails_before_any_job_gives_one_message(
    lab: Lab, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(EXTRAS["SlurmLauncher"][1])
    monkeypatch.setenv("PATH", "")  # wherever this is, there is no Slurm
    done = cli.run("-m", "method=lp", "seed=0,1", "hydra/launcher=slurm")
    assert done.code == 1
    assert re.fullmatch(
        r"roftbench: the launcher failed before any of 2 jobs began: RuntimeError: .*slurm.*\n", done.err
    )
    assert "Traceback" not in done.err + done.out
    assert lab.store.load() == lab.store.load_failures() == []


@pytest.mark.parametrize("line", ["3 jobs: ", "job 2 of 3"], ids=["before jobs", "within a job"])
def test_a_reader_that_leaves_ends_a_sweep_quietly(lab: Lab, terminal: Terminal, line: str) -> None:
    with terminal.begun("run", "-m", *merged(["method=lp", "seed=0,1,2"])) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        while not child.stdout.readline().startswith(line):
            pass
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0
    assert lab.store.load_failures() == []


def test_a_job_whose_table_is_gone_at_its_turn_costs_no_other_job(lab: Lab, terminal: Terminal, tmp_path: Path) -> None:
    smiles, y = molecules("esol", lab.job()[0], 80)
    tables = [write_csv(tmp_path / f"{name}.csv", {"smiles": smiles, "y": y}) for name in "ab"]
    paths = ",".join(map(str, tables))
    words = ["dataset=csv", f"dataset.path={paths}", "label_ratio=n50", "method=lp", "train.lr=0.01,1e30", "seed=0,1"]
    child = terminal.begun("run", "-m", *merged(words))
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("job 2 of 8"):
            tables[1].unlink()
            break
    done = ended(child)
    assert done.code == 1, done
    assert summary(done.out).startswith("8 jobs: 2 done, 0 skipped, 6 failed")
    reasons = [row.splitlines()[1] for row in done.out.split("  failed: ")[1:]]
    assert sum("diverged" in reason for reason in reasons) == 2
    assert sum(f"dataset.path={tables[1]} cannot be read" in reason for reason in reasons) == 4
    assert "worker" not in done.out + done.err
    assert len(lab.store.load_failures()) == 6


def test_what_has_failed_is_named_also_where_the_sweep_comes_to_no_end(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = lab.plan("method=lp", "train.lr=1e30,0.01")

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        if number:
            return [JobReply(number, plan.jobs[number].key, ended=False, refusal="the disk is full.")]
        outcome = lab.run(*(text for text in batch[0] if not text.startswith("paths.")))
        return [JobReply(number, plan.jobs[number].key, outcome.status != "busy", "")]

    with pytest.raises(JobError, match=r"the disk is full\. Finished jobs are kept"):
        Scheduler(plan, launch, {"_target_": "somewhere.BasicLauncher"}, ["roftbench", "run"]).run()
    [named] = re.findall(r"^  failed: (.*)\n {10}.*diverged", capsys.readouterr().out, re.MULTILINE)
    assert "train.lr=1e+30" in named


def test_jobs_that_end_where_this_machine_sees_nothing_end_the_sweep_with_one_message(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers on machines that have another folder under the same name."""
    monkeypatch.setattr(sweep, "SEEN_SECONDS", 0.5)
    plan = lab.plan("method=lp", "seed=0,1")
    launched: list[int] = []

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        launched.append(len(batch))
        return [JobReply(number + place, one.key, ended=True, refusal="") for place, one in enumerate(plan.jobs)]

    with pytest.raises(JobError, match=rf"2 jobs have ended, but paths\.results={lab.results} on this machine"):
        Scheduler(plan, launch, {"_target_": "somewhere.RayLauncher"}, ["roftbench", "run"]).run()
    assert launched == [2]


def test_a_job_that_another_sweep_has_seen_fail_meanwhile_is_not_run_again(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = lab.plan("method=lp", "train.lr=0.01,1e30")
    launched: list[int] = []

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        launched.append(number)
        for one in plan.jobs:  # this sweep's, and the other's
            run_job(one.job, one.context)
        return [JobReply(number, plan.jobs[number].key, ended=True, refusal="")]

    with pytest.raises(JobError, match="1 of 2 jobs failed"):
        Scheduler(plan, launch, {"_target_": "somewhere.BasicLauncher"}, ["roftbench", "run"]).run()
    assert launched == [0]
    assert summary(capsys.readouterr().out).startswith("2 jobs: 1 done, 0 skipped, 1 failed")


def test_a_launcher_that_runs_nothing_and_says_nothing_is_not_launched_for_ever(lab: Lab) -> None:
    launched: list[int] = []

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        launched.append(len(batch))
        return []

    with pytest.raises(JobError, match="the launcher returned 4 times without running any of 2 jobs"):
        Scheduler(lab.plan("method=lp", "seed=0,1"), launch, {"_target_": "a.RayLauncher"}, ["roftbench", "run"]).run()
    assert launched == [2] * 4
