"""A job as `roftbench run` does it: what it tells, what its log and the store are told, and what it raises."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab
from refusals import raises_usage

from roftbench.sweep.worker import work

TOO_MANY = ("method=lp", "label_ratio.count=903")
PLUGIN = '''
import resource
from dataclasses import dataclass
from roftbench.methods.base import Finished, Method

@dataclass(frozen=True)
class Fills(Method):
    """Full fine-tuning, at whose end no file may grow beyond `size` bytes."""

    size: int = 0

    def finish(self, fitted):
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return Finished(fitted.tuned)
'''


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[list[str]]:
    """Overrides for a job at whose end the disk is full; afterward it is as before."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = tmp_path / "own"
    (folder / "method").mkdir(parents=True)
    (folder / "filling.py").write_text(PLUGIN)
    (folder / "method" / "fills.yaml").write_text("name: fills\n_target_: filling.Fills\nsize: 0\n")
    yield [f"--config-dir={folder}", f"plugins=[{folder / 'filling.py'}]", "method=fills"]
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def did(lab: Lab, *overrides: str, in_sweep: bool = True) -> tuple[str, str]:
    job, env = lab.job(*overrides)
    return work(job, env, ["a guess"] if not in_sweep else [], in_sweep=in_sweep)


def log(lab: Lab) -> str:
    [path] = (lab.results / "logs").glob("*.log")
    return path.read_text()


def test_a_quiet_job_prints_nothing_and_its_log_has_all(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert did(lab, "method=lp") == ("done", "")
    assert capsys.readouterr() == ("", "")
    assert " data set  esol" in log(lab)
    assert f"record   {lab.store.record_path(lab.store.load()[0].key)}" in log(lab)


def test_a_loud_job_prints_what_is_in_its_log(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert did(lab, "method=lp", in_sweep=False) == ("done", "")
    assert capsys.readouterr().out == log(lab)
    assert log(lab).startswith("  guessed: a guess\n")


def test_a_job_that_is_done_keeps_its_log(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    did(lab, "method=lp")
    [path] = (lab.results / "logs").glob("*.log")
    path.write_text("what it printed")
    assert did(lab, "method=lp", in_sweep=False) == ("done", "")
    assert "already done" in capsys.readouterr().out
    assert log(lab) == "what it printed"
    assert did(lab, "method=lp", "run.rerun=true") == ("done", "")
    assert log(lab).startswith(" data set  esol")


def test_a_job_that_cannot_be_run_as_asked_is_a_failure_within_a_sweep_alone(lab: Lab) -> None:
    hint = "Use label_ratio=full or a count ≤ 902."
    with raises_usage("903", key="label_ratio.count", got=903, hint=hint):
        did(lab, *TOO_MANY, in_sweep=False)
    assert lab.store.load_failures() == []
    assert did(lab, *TOO_MANY) == ("failed", "")
    [failure] = lab.store.load_failures()
    assert "903" in failure.error
    assert failure.error in log(lab)


def test_a_job_that_another_process_has_at_work_is_left_to_it(lab: Lab) -> None:
    job, _ = lab.job("method=lp")
    with lab.store.claim(job.key):
        assert did(lab, "method=lp") == ("busy", "")
    assert lab.store.load() == []
    assert not list(lab.results.glob("logs/*.log"))  # it belongs to who does the job


def test_a_disk_that_is_full_when_a_job_ends_is_told_by_the_return_value(lab: Lab, filling: list[str]) -> None:
    status, refusal = did(lab, *filling)
    assert (status, refusal) == ("failed", f"{lab.results} can no longer be written: File too large.")
    assert lab.store.load() == lab.store.load_failures() == []
    assert not [path for path in lab.results.rglob("*") if path.suffix == ".tmp"]


def test_a_record_that_finds_no_room_is_a_failure_with_its_reason(lab: Lab, filling: list[str]) -> None:
    assert did(lab, *filling, "method.size=4096") == ("failed", "")
    assert lab.store.load() == []
    [failure] = lab.store.load_failures()
    assert "File too large" in failure.error
    assert len(lab.stages()) == 1  # the fit is kept: another start needs no training


def test_results_that_cannot_be_written_are_told_before_the_work(lab: Lab) -> None:
    lab.results.write_text("I am a file")
    with raises_usage(key="paths.results", got=str(lab.results)):
        did(lab, "method=lp", in_sweep=False)
    status, refusal = did(lab, "method=lp")
    assert status == "failed"
    assert f"paths.results={lab.results} cannot be written" in refusal
