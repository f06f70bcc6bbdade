"""Jobs from config to record: sharing, repeatability, interruption, failure, and tables that make trouble."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab import PLACES, ROOT, Lab, molecules, numbers, primary, start, write_csv
from refusals import raises_usage

from roftbench.runner.run import Outcome, run_job
from roftbench.store.record_schema import SCHEMA, Failure, GraphCount, LabelCount, plain
from roftbench.store.tensors import read_tensors

NAN = float("nan")


# Stages are shared, and sharing changes no number.


def test_lp_ft_begins_with_the_stage_of_lp(lab: Lab) -> None:
    lp = lab.done("method=lp")
    (stage,) = lab.stages()
    record = lab.done("method=lp_ft")
    assert stage in lab.stages()
    assert len(lab.stages()) == 2
    assert record.seconds.keys() == {"lp (reused)", "ft", "total"}
    assert record.seconds["lp (reused)"] == lp.seconds["lp"]
    assert record.history[:3] == lp.history
    alone = lab.elsewhere("alone")
    assert numbers(alone.done("method=lp_ft")) == numbers(record)
    assert alone.done("method=lp").seconds.keys() == {"lp (reused)", "total"}


@pytest.mark.parametrize("method", ["wise_ft", "roftmol"])
@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_interpolation_reuses_full_fine_tuning(lab: Lab, method: str, dataset: str) -> None:
    full = lab.done("method=full_ft", f"dataset={dataset}")
    record = lab.done(f"method={method}", f"dataset={dataset}")
    assert len(lab.stages()) == (2 if method == "roftmol" else 1)  # what ROFT-MOL learns is kept, too
    assert record.seconds.keys() == {"ft (reused)", "finish", "total"}
    assert record.base.val == full.scores.val
    assert record.base.test == full.scores.test
    alone = lab.elsewhere("alone").done(f"method={method}", f"dataset={dataset}")
    assert alone.seconds.keys() == {"ft", "finish", "total"}
    assert numbers(alone) == numbers(record)


@pytest.mark.parametrize("epochs", [3, 30])
@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_a_stage_from_the_store_gives_the_numbers_of_one_just_fitted(lab: Lab, dataset: str, epochs: int) -> None:
    """To the last bit of every coefficient's history, whatever the addresses at which a file's tensors begin."""
    given = ("method=roftmol", f"dataset={dataset}", f"train.epochs={epochs}")
    fitted = lab.run(*given).record
    lab.store.record_path(fitted.key).unlink()
    reused = lab.run(*given).record
    assert "ft (reused)" in reused.seconds
    assert numbers(reused) == numbers(fitted)


@pytest.mark.parametrize(
    "other",
    [
        "seed=1",
        "train.epochs=2",
        "train.lr=0.002",
        "label_ratio=n100",
        "split=random",
        "model.dropout=0",
        "dataset=bbbp",
    ],
)
def test_a_stage_is_not_shared_between_different_fits(lab: Lab, other: str) -> None:
    lab.done("method=full_ft")
    record = lab.done("method=wise_ft", other)
    assert "ft" in record.seconds
    assert len(lab.stages()) == 2


def test_a_stage_of_other_threads_is_fitted_again(lab: Lab) -> None:
    """Sums in another order have other last digits: what ran before must not be seen in a job's numbers."""
    two = ("method=wise_ft", "run.threads=2", "train.epochs=3")
    alone = lab.elsewhere("alone").done(*two)
    lab.done("method=full_ft", "run.threads=1", "train.epochs=3")
    after = lab.done(*two)
    assert numbers(after) == numbers(alone)
    assert "ft" in after.seconds
    [path] = lab.stages()
    assert read_tensors(path)[1]["made_with"]["threads"] == 2
    assert "ft (reused)" in lab.done(*two, "method.alpha=0.3").seconds


def test_a_stage_of_another_arithmetic_is_fitted_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr("roftbench.runner.provenance.ARITHMETIC", 0)
        lab.done("method=full_ft", "train.epochs=2")
    assert "ft" in lab.done("method=wise_ft", "train.epochs=2").seconds
    assert "ft (reused)" in lab.done("method=wise_ft", "train.epochs=2", "method.alpha=0.3").seconds


def test_penalized_and_partial_fits_share_nothing_with_full_fine_tuning(lab: Lab) -> None:
    jobs: list[tuple[str, ...]] = [(f"method={name}",) for name in ("full_ft", "lp", "l2_sp", "bss", "feature_map")]
    jobs += [("method=surgical_ft", f"method.block={block}") for block in ("embed", "layer0")]
    jobs += [("method=l2_sp", "method.weight=0.5"), ("method=bss", "method.k=2")]
    for job in jobs:
        record = lab.done(*job)
        assert not [name for name in record.seconds if "reused" in name]
    assert len(lab.stages()) == len(jobs)


def test_a_search_fits_a_shared_stage_once_even_when_everything_is_done_again(lab: Lab) -> None:
    """All coefficients of a grid interpolate the same fine-tuned weights."""
    first = lab.done("method=wise_ft", "method.search=true")
    (stage,) = lab.stages()
    written = stage.stat().st_mtime_ns
    assert len(first.candidates) == 5
    assert first.seconds.keys() == {"ft", "finish", "total"}
    again = lab.done("method=wise_ft", "method.search=true", "run.rerun=true")
    assert stage.stat().st_mtime_ns > written
    assert again.seconds.keys() == {"ft", "finish", "total"}
    assert again.seconds["ft"] == read_tensors(stage)[1]["seconds"]  # not a sum over five fits
    assert numbers(again) == numbers(first)


# The same job gives the same numbers.


def test_a_finished_job_is_not_run_again_unless_asked(lab: Lab) -> None:
    job, env = lab.job("method=lp")
    calls: list[Any] = []
    first = run_job(job, env, calls.append)
    path = lab.store.record_path(job.key)
    written = path.stat().st_mtime_ns
    second = run_job(job, env, calls.append)
    assert (first.cached, second.cached) == (False, True)
    assert second.record == first.record
    assert path.stat().st_mtime_ns == written
    again = lab.run("method=lp", "run.rerun=true")
    assert not again.cached
    assert numbers(again.record) == numbers(first.record)
    assert path.stat().st_mtime_ns > written
    assert len(calls) == 1


JOBS = (
    "method=roftmol",
    "method=lp_ft",
    "method=feature_map dataset=bbbp model.dropout=0.5",
    "method=surgical_ft seed=3",
)
PROGRAM = """
import json, sys
from pathlib import Path
from lab import ROOT, Lab, numbers
lab = Lab(Path(sys.argv[1]), Path(sys.argv[2]))
print("RESULT" + json.dumps([numbers(lab.done(*job.split())) for job in sys.argv[3:]]))
"""


def test_numbers_do_not_depend_on_the_process_or_on_what_ran_before(lab: Lab, tmp_path: Path) -> None:
    """In order, in reverse order with noise and other jobs between, and in a fresh process: equal to the last bit."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    arguments = [str(tmp_path / "fresh"), str(lab.cache), *JOBS]
    process = start([sys.executable, str(program), *arguments], ROOT / "tests" / "helpers")
    in_order = [numbers(lab.done(*job.split())) for job in JOBS]
    noisy = lab.elsewhere("noisy")
    reverse = []
    for number, job in enumerate(reversed(JOBS)):
        torch.manual_seed(1000 + number)
        torch.rand(number + 1)
        np.random.seed(number)
        noisy.done("method=full_ft", f"seed={number}", "model.dropout=0.3")
        reverse.append(numbers(noisy.done(*job.split())))
    assert reverse[::-1] == in_order
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    fresh = json.loads(output.partition("RESULT")[2])
    assert fresh == json.loads(json.dumps(in_order))


def test_seeds_move_the_fit_and_the_splits_seed_moves_the_data(lab: Lab) -> None:
    base = lab.done("method=full_ft", "split=random")
    seed = lab.done("method=full_ft", "split=random", "seed=1")
    split = lab.done("method=full_ft", "split=random", "split.seed=1")
    assert seed.test_predictions.row == base.test_predictions.row
    assert seed.data.split_sha256 == base.data.split_sha256
    assert primary(seed) != primary(base)
    assert split.test_predictions.row != base.test_predictions.row


def test_a_pretrained_encoder_does_not_depend_on_the_seed_but_the_head_does(lab: Lab, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    encoder = lab.experiment("seed=5").model.encoder
    file = tmp_path / "encoder.safetensors"
    save_file({key: value.clone() for key, value in encoder.state_dict().items()}, file)
    starts = [lab.experiment(f"model.checkpoint={file}", f"seed={seed}").start for seed in (0, 1)]
    for key, value in encoder.state_dict().items():
        assert torch.equal(starts[0].state[f"encoder.{key}"], value)
        assert torch.equal(starts[1].state[f"encoder.{key}"], value)
    assert not torch.equal(starts[0].state["head.weight"], starts[1].state["head.weight"])


# Labels are counted.


@pytest.mark.parametrize("method", ["full_ft", "roftmol"])
def test_a_strict_budget_counts_validation_labels_in(lab: Lab, method: str) -> None:
    count = lab.done(f"method={method}", "label_ratio.val_budget=strict").count
    assert count.graphs.train == count.labels.weights == 40
    assert count.graphs.val == count.labels.selection == 10
    assert count.labels.interpolation == (10 if method == "roftmol" else 0)
    assert count.graphs.test == 113


# What was interrupted goes on.

SEARCH = ("method=l2_sp", "method.search=true", "train.epochs=8", "label_ratio=n500")


def test_a_killed_search_goes_on_at_the_next_candidate(lab: Lab) -> None:
    lab.done("method=lp")  # so that the process finds the featurized data
    killed = lab.elsewhere("killed")
    process = killed.start(*SEARCH)
    deadline = time.monotonic() + 120
    while not killed.stages() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, output
    kept = {path: path.read_bytes() for path in killed.stages()}
    assert 1 <= len(kept) < 5
    assert killed.store.load() == []
    record = killed.done(*SEARCH)
    assert {"ft", "ft (reused)"} <= record.seconds.keys()
    assert record.seconds["ft (reused)"] == sum(read_tensors(path)[1]["seconds"] for path in kept)
    assert len(killed.stages()) == 5
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert killed.store.load_failures() == []
    assert numbers(record) == numbers(lab.elsewhere("undisturbed").done(*SEARCH))
    assert [one.params["weight"] for one in record.candidates] == [1, 0.1, 0.01, 0.001, 0.0001]


PLUGIN = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from roftbench.methods.base import Finished, Method

@dataclass(frozen=True)
class Fragile(Method):
    """Full fine-tuning that ends as a file says."""

    file: str = ""

    def finish(self, fitted):
        word = Path(self.file).read_text().strip()
        if word == "interrupt":
            raise KeyboardInterrupt
        if word == "nan":
            return Finished({**fitted.tuned, "head.bias": fitted.tuned["head.bias"] * float("nan")})
        if word == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if word != "good":
            raise ZeroDivisionError(f"the file says {word}")
        return Finished(fitted.tuned, {"word": word})
'''


@pytest.fixture
def fragile(tmp_path: Path) -> tuple[tuple[str, ...], Path]:
    """Overrides that choose a user's own method, and the file that tells it how to end."""
    (tmp_path / "fragile_method.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "conf" / "method").mkdir(parents=True)
    word = tmp_path / "word.txt"
    content = f"name: fragile\n_target_: fragile_method.Fragile\nfile: {word}\n"
    (tmp_path / "conf" / "method" / "fragile.yaml").write_text(content, encoding="utf-8")
    return ("method=fragile", f"--config-dir={tmp_path / 'conf'}", f"plugins=[{tmp_path / 'fragile_method.py'}]"), word


def test_a_method_that_raises_leaves_a_failure_and_success_removes_it(
    lab: Lab, fragile: tuple[tuple[str, ...], Path]
) -> None:
    overrides, word = fragile
    word.write_text("bad")
    outcome = lab.run(*overrides)
    assert outcome.status == "failed"
    key = lab.job(*overrides)[0].key
    failure = json.loads(lab.store.failure_path(key).read_text(encoding="utf-8"))
    assert len(failure.pop("digest")) == 64
    assert failure == plain(outcome.record)
    failure = outcome.record
    assert (failure.schema, failure.key, failure.status) == (SCHEMA, key, "failed")
    said = r"ZeroDivisionError: the file says bad \(fragile_method\.py, line \d+\)"
    assert re.fullmatch(said, failure.error)
    assert "fragile_method.py" in failure.traceback
    assert failure.job == lab.job(*overrides)[0].identity()
    assert lab.store.load() == []
    assert list((lab.results / "runs").glob("*.json")) == []

    word.write_text("worse")
    assert "the file says worse (" in lab.run(*overrides).record.error
    word.write_text("good")
    record = lab.done(*overrides)
    assert record.key == key
    assert record.details == {"word": "good"}
    assert record.seconds.keys() == {"ft (reused)", "finish", "total"}
    assert lab.store.load_failures() == []
    assert lab.run(*overrides).cached


def test_an_interrupt_is_passed_on_and_keeps_finished_stages(lab: Lab, fragile: tuple[tuple[str, ...], Path]) -> None:
    overrides, word = fragile
    word.write_text("interrupt")
    with pytest.raises(KeyboardInterrupt):
        lab.run(*overrides)
    assert len(lab.stages()) == 1
    assert lab.store.load() == lab.store.load_failures() == []
    assert not [path for path in lab.results.rglob("*") if path.suffix == ".tmp"]
    word.write_text("good")
    assert "ft (reused)" in lab.done(*overrides).seconds


def test_a_failure_after_a_success_keeps_the_success(lab: Lab, fragile: tuple[tuple[str, ...], Path]) -> None:
    overrides, word = fragile
    word.write_text("good")
    record = lab.done(*overrides)
    word.write_text("bad")
    assert lab.run(*overrides, "run.rerun=true").status == "failed"
    assert lab.store.load() == [record]


# Failures have a reason.


def failed(outcome: Outcome, lab: Lab) -> Failure:
    assert outcome.status == "failed"
    assert lab.store.load() == []
    assert lab.store.load_failures() == [outcome.record]
    return outcome.record


@pytest.mark.parametrize("method", ["full_ft", "lp", "l2_sp"])
def test_diverged_training_is_a_failure_with_advice(lab: Lab, method: str) -> None:
    record = failed(lab.run(f"method={method}", "train.lr=1e30"), lab)
    assert "diverged" in record.error
    assert "Lower train.lr (1e+30)" in record.error
    assert record.traceback is None
    assert lab.run(f"method={method}", "train.lr=1e30").status == "failed"  # tried again, not taken for done
    assert lab.done(f"method={method}").status == "done"


@pytest.mark.parametrize("method", ["full_ft", "wise_ft"])
def test_weights_that_diverge_in_the_very_last_step_are_a_failure_too(lab: Lab, method: str) -> None:
    """One batch, one epoch: the loss is fine and the weights after it are not."""
    record = failed(lab.run(f"method={method}", "train.lr=1e20", "train.epochs=1", "label_ratio.count=20"), lab)
    assert "predictions are not all finite" in record.error


def test_a_method_that_ends_with_nan_is_a_failure(lab: Lab, fragile: tuple[tuple[str, ...], Path]) -> None:
    overrides, word = fragile
    word.write_text("nan")
    assert "not all finite" in failed(lab.run(*overrides), lab).error


def test_a_gpu_without_room_is_a_failure_with_advice(lab: Lab, fragile: tuple[tuple[str, ...], Path]) -> None:
    overrides, word = fragile
    word.write_text("memory")
    error = failed(lab.run("run.jobs_per_gpu=7", *overrides), lab).error
    assert error == (
        "the GPU's memory ran out: fewer jobs at a time on it (run.jobs_per_gpu, 7 now) or a smaller train.batch_size:"
        " CUDA out of memory"
    )


def test_a_block_that_is_not_there_is_skipped_with_its_reason(lab: Lab) -> None:
    outcome = lab.run("method=surgical_ft", "method.block=layer9")
    assert outcome.status == outcome.record.status == "skipped"
    assert "no block 'layer9'" in outcome.record.error
    assert lab.store.load() == []
    assert lab.store.load_failures() == [outcome.record]


def test_more_labels_than_there_are_is_a_usage_error_and_leaves_no_record(lab: Lab) -> None:
    with raises_usage("902", key="label_ratio.count", got=903):
        lab.run("label_ratio.count=903")
    assert lab.store.load() == lab.store.load_failures() == []


def test_an_encoder_whose_blocks_are_wrong_is_a_usage_error(lab: Lab, tmp_path: Path) -> None:
    code = "from roftbench.models.gin import GIN\n\nclass Holey(GIN):\n"
    code += "    def blocks(self):\n        return {'embed': super().blocks()['embed']}\n"
    (tmp_path / "holey_encoder.py").write_text(code, encoding="utf-8")
    plugin = ("model._target_=holey_encoder.Holey", f"plugins=[{tmp_path / 'holey_encoder.py'}]")
    with raises_usage(r"encoder\.gnns\.0", key="model"):
        lab.run(*plugin)


def test_results_in_the_place_of_a_file_are_a_usage_error_before_any_work(lab: Lab) -> None:
    lab.results.write_text("a file")
    with raises_usage(key="paths.results", got=str(lab.results)):
        lab.run("method=lp")


# Tables that make trouble.


def table(path: Path, **overrides: str) -> tuple[str, ...]:
    more = [f"dataset.{name}={value}" for name, value in overrides.items()]
    return ("dataset=csv", f"dataset.path={path}", "split=random", "label_ratio=full", *more)


@pytest.mark.parametrize("method", ["full_ft", "lp", "roftmol", "bss"])
def test_a_validation_part_of_one_class_has_no_score_and_does_no_harm(lab: Lab, tmp_path: Path, method: str) -> None:
    smiles, _ = molecules("lipo", lab.job("dataset=lipo")[0], 60)
    columns = {"smiles": smiles, "y": [row % 2 for row in range(60)]}
    parts = lab.experiment(*table(write_csv(tmp_path / "any.csv", columns), task="classification")).dataset
    assert len(parts) == 60
    order = lab.experiment(*table(tmp_path / "any.csv", task="classification")).parts
    mixed = [row % 2 for row in range(60)]
    for row in order.val.tolist():
        mixed[row] = 1
    path = write_csv(tmp_path / "one.csv", {"smiles": smiles, "y": mixed})
    record = lab.done(f"method={method}", *table(path, task="classification"))
    assert record.scores.val["roc_auc"] is None
    assert record.scores.val["brier"] is not None
    assert record.scores.test["roc_auc"] is not None
    assert record.data.undefined_tasks == {"val": 1, "test": 0}
    assert [row.val_score for row in record.history] == [None] * 3
    fitted = record.base or record
    assert fitted.best_epoch == 3  # the last


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_target_without_any_label_takes_no_part(lab: Lab, tmp_path: Path, task: str) -> None:
    smiles, labels = molecules("esol", lab.job()[0], 60)
    y = labels if task == "regression" else [int(label > -3) for label in labels]
    both = write_csv(tmp_path / "both.csv", {"smiles": smiles, "a": y, "b": [None] * 60})
    record = lab.done("method=roftmol", *table(both, task=task, targets="[a,b]"))
    metric = record.metric
    assert record.scores.test[metric] is not None
    assert record.count.labels == LabelCount(weights=48, selection=6, interpolation=6, test=6)
    assert record.data.undefined_tasks["test"] == 1
    assert {len(row) for row in record.test_predictions.prediction} == {2}


@pytest.mark.parametrize("method", ["full_ft", "bss", "feature_map", "lp"])
@pytest.mark.parametrize("batch_size", [2, 32])
def test_single_atoms_are_molecules(lab: Lab, tmp_path: Path, method: str, batch_size: int) -> None:
    smiles = ["C", "N", "O", "[Na+].[Cl-]", "CCO", "S", "Br", "c1ccccc1", "[He]", "P", "CC", "F"]
    path = write_csv(tmp_path / "atoms.csv", {"smiles": smiles, "y": [0.1 * row for row in range(12)]})
    record = lab.done(f"method={method}", *table(path), f"train.batch_size={batch_size}")
    assert record.count.graphs == GraphCount(train=9, val=1, test=2)
    assert primary(record, "test") >= 0


@pytest.mark.parametrize("method", ["full_ft", "lp", "lp_ft", "l2_sp", "feature_map", "bss", "roftmol", "surgical_ft"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_or_three_labels_are_enough_to_train(lab: Lab, method: str, count: int) -> None:
    for dataset in ("esol", "bbbp"):
        record = lab.done(f"method={method}", f"dataset={dataset}", f"label_ratio.count={count}")
        assert record.count.labels.weights == count
        assert np.isfinite(primary(record, "test"))


def test_one_single_atom_is_a_failure_with_a_reason_for_batch_norm_and_none_for_probing(
    lab: Lab, tmp_path: Path
) -> None:
    """Batch statistics of one node do not exist; a frozen encoder needs none."""
    path = write_csv(tmp_path / "one.csv", {"smiles": ["C", "N", "O"], "y": [0.5, 1.5, 2.5]})
    assert len(lab.experiment(*table(path), "label_ratio.count=1").parts.train) == 1
    assert lab.run("method=full_ft", *table(path), "label_ratio.count=1").status == "failed"
    assert lab.run("method=lp", *table(path), "label_ratio.count=1").status == "done"


@pytest.mark.parametrize("method", ["full_ft", "roftmol", "lp"])
def test_without_validation_molecules_the_last_epoch_is_taken(lab: Lab, method: str) -> None:
    record = lab.done(f"method={method}", "split=random", "split.fractions=[0.9,0,0.1]")
    assert record.count.graphs.val == 0
    assert record.scores.val["rmse"] is None
    assert (record.base or record).best_epoch == 3
    if method == "roftmol":
        assert list(record.details["alpha"].values()) == pytest.approx([0.9] * 3)  # nothing to learn from


def test_rows_without_a_graph_are_dropped_counted_and_listed(lab: Lab, tmp_path: Path) -> None:
    smiles, labels = molecules("esol", lab.job()[0], 30)
    smiles[3], smiles[7] = "not a molecule", ""
    record = lab.done("method=lp", *table(write_csv(tmp_path / "some.csv", {"smiles": smiles, "y": labels})))
    data = record.data
    assert (data.rows, data.kept) == (30, 28)
    assert [row["row"] for row in data.dropped] == [3, 7]
    assert all(row["reason"] for row in data.dropped)
    assert not {3, 7} & set(record.test_predictions.row)


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_recorded_predictions_give_the_recorded_score(lab: Lab, dataset: str) -> None:
    from roftbench.data.table.load import read_table
    from roftbench.metrics import evaluate

    job = lab.job(f"dataset={dataset}")[0]
    for extra in ("false", "true"):
        record = lab.done("method=full_ft", f"dataset={dataset}", f"train.standardize_targets={extra}")
        found = record.test_predictions
        y = read_table(job.dataset, PLACES).labels[found.row]
        scores = evaluate(str(job.dataset.task), y, np.array(found.prediction))
        # Predictions are recorded with six decimals: ranks may tie where they did not.
        assert scores == pytest.approx(record.scores.test, abs=2e-4)


# Several processes.


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def test_processes_that_meet_do_every_piece_of_work_once(lab: Lab) -> None:
    """Two run the same job and a third needs the same stage, all at once."""
    lab.done("method=lp", "label_ratio=n100")  # so that the processes find the featurized data
    given = ("train.epochs=80",)  # long enough for them to meet in the stage
    jobs = [("method=full_ft", *given), ("method=full_ft", *given), ("method=roftmol", *given)]
    outputs = [finish(process) for process in [lab.start(*job) for job in jobs]]
    assert sum("already done" in output for output in outputs) == 1
    records = {record.job["method"]["name"]: record for record in lab.store.load()}
    assert records.keys() == {"lp", "full_ft", "roftmol"}
    full, learned = records["full_ft"], records["roftmol"]
    assert ("ft" in full.seconds) != ("ft" in learned.seconds)
    assert ("ft (reused)" in full.seconds) != ("ft (reused)" in learned.seconds)
    assert len(lab.stages()) == 3  # the head of lp, the full fine-tuning, what ROFT-MOL learned
    assert learned.base.test == full.scores.test
    assert not [path for path in lab.results.rglob("*") if path.suffix == ".tmp"]
