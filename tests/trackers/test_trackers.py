"""Trackers on real jobs: what they write agrees with the record, and a job without one is the same."""

import csv
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fenced import files
from lab import ROOT, Lab, numbers
from refusals import raises_usage

from roftbench.config import callbacks
from roftbench.predict.save import save
from roftbench.runner.experiment import Experiment
from roftbench.runner.run import run_job
from roftbench.store.record_schema import Failure, Record
from roftbench.trackers.series import final_scores

JOB = ("method=lp_ft",)
DIVERGING = ("method=full_ft", "train.lr=1e30")
REAL = ["csv", "tensorboard", "mlflow", "wandb"]


def needed(name: str) -> None:
    """Skip where the package of a tracker is not installed, as in an environment without the extra."""
    package = callbacks.TRACKERS[name][1]
    if package is not None:
        pytest.importorskip(package, reason=f"needs roftbench[{name}]")


def interrupt(experiment: Experiment) -> None:
    raise KeyboardInterrupt


class Read:
    """What each tracker has written for a job: its status, final scores and curves by stage and quantity."""

    def __init__(self, lab: Lab, key: str) -> None:
        self.root, self.key = lab.results, key

    def csv(self) -> tuple[str, dict[str, float], dict[str, list[float]]]:
        folder = self.root / "csv" / self.key
        job = json.loads((folder / "job.json").read_text())
        assert job["config"]["model.name"] == "tiny_gin"
        curves: dict[str, list[float]] = {}
        with (folder / "epochs.csv").open() as file:
            for row in csv.DictReader(file):
                prefix = f"candidate{row['candidate']}/{row['stage']}" if row["candidate"] else row["stage"]
                curves.setdefault(f"{prefix}/train_loss", []).append(float(row["train_loss"]))
                curves.setdefault(f"{prefix}/val_{job['metric']}", []).append(float(row["val_score"]))
        return job["status"], job["scores"], curves

    def tensorboard(self) -> tuple[str, dict[str, float], dict[str, list[float]]]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found: Any = EventAccumulator(str(self.root / "tensorboard" / self.key)).Reload()
        [status] = found.Tensors("status/text_summary")
        [config] = found.Tensors("config/text_summary")
        assert b'"model.name": "tiny_gin"' in config.tensor_proto.string_val[0]
        values = {tag: [one.value for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        return status.tensor_proto.string_val[0].decode(), *_parted(values)

    def mlflow(self) -> tuple[str, dict[str, float], dict[str, list[float]]]:
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")
        [experiment] = [one for one in client.search_experiments() if one.name == "roftbench"]
        [run] = client.search_runs([experiment.experiment_id])
        assert run.data.params["model.name"] == "tiny_gin"
        assert run.data.tags["key"] == self.key
        ended = {"done": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}[run.data.tags["roftbench.status"]]
        assert run.info.status == ended
        history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        values = {name: [one.value for one in sorted(ones, key=lambda m: m.step)] for name, ones in history.items()}
        return run.data.tags["roftbench.status"], *_parted(values)

    def wandb(self) -> tuple[str, dict[str, float], dict[str, list[float]]]:
        from wandb.proto import wandb_internal_pb2

        [path] = (self.root / "wandb").glob("offline-run-*/*.wandb")
        summary: dict[str, Any] = {}
        values: dict[str, list[float]] = {}
        codes, config = [], ""
        for data in _log_records(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            config += str(record.run.config) if record.HasField("run") else ""
            codes += [record.exit.exit_code] if record.HasField("exit") else []
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if name.rpartition("/")[2].startswith(("train_loss", "val_")):
                    values.setdefault(name, []).append(json.loads(item.value_json))
            summary |= {
                one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.summary.update
            }
        assert "tiny_gin" in config
        assert codes == [int(summary["status"] != "done")]
        return (
            summary["status"],
            {k: v for k, v in summary.items() if k.startswith(("train/", "val/", "test/"))},
            values,
        )


def _log_records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a file in the log format of LevelDB, as wandb writes it: blocks of 32 KiB after a header."""
    place, whole = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # the end of a block is padding
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or its last fragment
            yield whole
            whole = b""


def _parted(values: dict[str, list[float]]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return final scores and curves."""
    final = {name: found for name, found in values.items() if name.startswith(("train/", "val/", "test/"))}
    return {name: found[0] for name, found in final.items()}, {k: v for k, v in values.items() if k not in final}


def curves_of(record: Record) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for epoch in record.history:
        found.setdefault(f"{epoch.stage}/train_loss", []).append(epoch.train_loss)
        found.setdefault(f"{epoch.stage}/val_{record.metric}", []).append(epoch.val_score)
    return found


@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore")  # of the packages
def test_tracker_has_epochs_and_scores_of_the_record(lab: Lab, name: str) -> None:
    needed(name)
    record = lab.done(*JOB, f"run.logger={name}")
    status, scores, curves = getattr(Read(lab, record.key), name)()
    assert status == "done"
    assert scores == pytest.approx(final_scores(record), rel=1e-6)
    assert curves.keys() == curves_of(record).keys()
    for series, values in curves_of(record).items():
        assert curves[series] == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore")
def test_tracker_of_a_failed_job_is_closed(lab: Lab, name: str) -> None:
    needed(name)
    outcome = lab.run(*DIVERGING, f"run.logger={name}")
    assert isinstance(outcome.record, Failure)
    assert getattr(Read(lab, outcome.record.key), name)()[:2] == ("failed", {})


@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore")
def test_tracker_of_an_interrupted_job_is_closed(lab: Lab, name: str) -> None:
    needed(name)
    job, context = lab.job(*JOB, f"run.logger={name}")
    with pytest.raises(KeyboardInterrupt):
        run_job(job, context, interrupt, save)
    assert getattr(Read(lab, job.key), name)()[0] == "interrupted"


def test_logger_changes_neither_key_nor_numbers(lab: Lab) -> None:
    plain = lab.done(*JOB)
    tracked = lab.elsewhere("tracked").done(*JOB, "run.logger=csv")
    assert numbers(tracked) == numbers(plain)
    assert not (lab.results / "csv").exists()


def test_epochs_of_a_stored_stage_are_logged(lab: Lab) -> None:
    lab.done("method=lp")  # whose stage lp_ft begins with
    record = lab.done(*JOB, "run.logger=csv")
    assert record.seconds.keys() >= {"lp (reused)"}
    assert Read(lab, record.key).csv()[2] == curves_of(record)


def test_candidates_of_a_search_have_curves_of_their_own(lab: Lab) -> None:
    record = lab.done("method=l2_sp", "method.search=true", "method.grid.weight=[0.1,1.0]", "run.logger=csv")
    curves = Read(lab, record.key).csv()[2]
    assert {name.partition("/")[0] for name in curves} == {"candidate0", "candidate1"}
    assert {len(values) for values in curves.values()} == {3}


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_missing_package_is_refused_with_the_command(lab: Lab, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "find_spec", lambda package: None)
    with raises_usage(match=rf'pip install "roftbench\[{name}\]"', key="run.logger", got=name):
        callbacks.check_logger(name, ())


def test_unknown_logger_is_refused(lab: Lab) -> None:
    with raises_usage(key="run.logger", got="clearml", allowed=tuple(callbacks.TRACKERS)):
        callbacks.check_logger("clearml", ())


PLUGIN = """
from roftbench.config.callbacks import Callback

class Heard(Callback):
    calls = []

    def job_began(self, job, context):
        self.calls.append(("began", job.key))

    def epoch_ended(self, epoch, candidate):
        self.calls.append((epoch.stage, epoch.epoch))

    def job_ended(self, result):
        self.calls.append(("ended", result.status))

class Broken(Heard):
    def epoch_ended(self, epoch, candidate):
        super().epoch_ended(epoch, candidate)
        raise OSError("no room")

class Unmade(Callback):
    def __init__(self, argument):
        pass

class Stranger:
    pass
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[str]:
    """A plug-in file; its module is forgotten afterwards."""
    path = tmp_path / "heard_plugin.py"
    path.write_text(PLUGIN)
    yield f"plugins=[{path}]"
    sys.modules.pop("heard_plugin", None)


def test_callback_of_a_plugin_follows_the_job(lab: Lab, plugin: str) -> None:
    record = lab.done("method=lp", plugin, "run.logger=heard_plugin.Heard")
    calls = sys.modules["heard_plugin"].Heard.calls
    assert calls == [("began", record.key), ("lp", 1), ("lp", 2), ("lp", 3), ("ended", "done")]
    again = lab.run("method=lp", plugin, "run.logger=heard_plugin.Heard")
    assert again.cached
    assert len(calls) == 5


@pytest.mark.parametrize(("name", "error"), [("Broken", "OSError: no room"), ("Unmade", "TypeError")])
def test_error_of_a_callback_costs_the_log_alone(
    lab: Lab, plugin: str, caplog: pytest.LogCaptureFixture, name: str, error: str
) -> None:
    record = lab.done("method=lp", plugin, f"run.logger=heard_plugin.{name}")
    [warning] = [one.getMessage() for one in caplog.records if "run.logger" in one.getMessage()]
    assert error in warning
    calls = sys.modules["heard_plugin"].Heard.calls
    assert calls == ([("began", record.key), ("lp", 1), ("ended", "done")] if name == "Broken" else [])


def test_class_that_is_no_callback_is_refused(lab: Lab, plugin: str) -> None:
    with raises_usage(key="run.logger", got="heard_plugin.Stranger"):
        lab.job("method=lp", plugin, "run.logger=heard_plugin.Stranger")


def test_callback_outside_plugins_is_refused(lab: Lab) -> None:
    with raises_usage(key="run.logger", got="os.path"):
        lab.job("method=lp", "run.logger=os.path")


def test_callback_of_the_page_writes_improvements(lab: Lab, tmp_path: Path) -> None:
    [(name, text)] = files(ROOT / "docs" / "trackers.md").items()
    (tmp_path / name).write_text(text)
    record = lab.done("method=lp", f"plugins=[{tmp_path / name}]", "run.logger=improvements.Improvements")
    sys.modules.pop("improvements")
    lines = (lab.results / "improvements.txt").read_text().splitlines()
    scores = [epoch.val_score for epoch in record.history]
    best = [score for i, score in enumerate(scores) if score == min(scores[: i + 1])]
    assert [line.split()[-1] for line in lines] == [f"{score:.4f}" for score in best]


def test_page_names_every_tracker_and_its_extra() -> None:
    page = (ROOT / "docs" / "trackers.md").read_text()
    for name, (_, package) in callbacks.TRACKERS.items():
        assert f"| `{name}` |" in page
        assert package is None or f'pip install "roftbench[{name}]"' in page
