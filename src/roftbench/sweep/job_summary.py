"""Lines printed before and after a job: its settings, and its result."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from roftbench.config.plugins import import_name
from roftbench.console import duration, say, shown
from roftbench.data.smiles import shortened
from roftbench.formatting import counted, score_text
from roftbench.metrics import METRICS
from roftbench.runner.experiment import Experiment
from roftbench.store.record_schema import Failure, Record

MOST_SHARES = 12  # more interpolation coefficients are summed up


def announce(experiment: Experiment) -> None:
    """Print the settings of a job that is about to start."""
    job, dataset = experiment.job, experiment.dataset
    better = METRICS[str(job.dataset.metric)].direction
    units = f", {job.dataset.units}" if job.dataset.units else ""
    counts, words = experiment.count(), experiment.words()
    graphs, labels = counts.graphs, counts.labels
    uses = f"{labels.weights} for weights, {labels.selection} for selection"
    if labels.interpolation:
        also = "" if experiment.keeps_labels else " of them also"
        uses += f", {labels.interpolation}{also} for interpolation coefficients"
    threads = torch.get_num_threads()
    dropped = counted(len(dataset.dropped), "row")
    lines = {
        "data set": f"{job.dataset.name}: {job.dataset.task}, {len(dataset)} molecules"
        f" (train {graphs.train}, val {graphs.val}, test {graphs.test}), {dropped} dropped;"
        f" from {dataset.place}",
        "labels": f"{job.label_ratio.name}: {uses}",
        "split": _split(experiment),
        "metric": f"{job.dataset.metric}{units}; {better} is better",
        "model": words["model"],
        "method": _method(experiment),
        "training": words["training"],
        "device": f"{experiment.device}, {threads} thread{'s' * (threads != 1)}; seed {job.seed}",
        **({} if job.refit else {"record": shown(experiment.store.record_path(job.key))}),
    }
    for name, text in lines.items():
        say(f"{name:>9}  {text}")
    for warning in experiment.warnings:
        say(f"{'warning':>9}  {warning}")
    for row in dataset.dropped[:5]:
        say(f"  dropped: data row {row.row + 1}, {shortened(row.smiles) or '(no text)'}: {row.reason}")
    if len(dataset.dropped) > 5:
        say(f"  dropped: {len(dataset.dropped) - 5} more, all of them listed in the record")


def _split(experiment: Experiment) -> str:
    """Return the split with its seed; for a split without randomness, the seed of the few-shot subset."""
    split, ratio = experiment.job.split, experiment.job.label_ratio
    seed = split.params.get("seed")
    if getattr(import_name(split.target), "seeded", True):
        return f"{split.name}, seed {seed}"
    return f"{split.name} (deterministic); few-shot subset by seed {ratio.seed}"


def _method(experiment: Experiment) -> str:
    spec = experiment.job.method
    if spec.search:
        tried = len(experiment.candidates())
        return f"{spec.name}: {tried} candidates, chosen by validation score, grid {_values(spec.grid)}"
    return spec.name + (f": {_values(spec.params)}" if spec.params else "")


def _values(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in params.items())


def _value(value: Any) -> str:
    """Return a value in the syntax of the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def conclude(record: Record | Failure, path: Path, *, cached: bool = False) -> None:
    """Print a job's result as a small table, or the reason why there is none; `cached`: the job was done before."""
    if isinstance(record, Failure):
        if os.environ.get("ROFTBENCH_DEBUG") and record.traceback:
            say(record.traceback)
        say(f"{record.status}: {record.error}")
        say(f"recorded in {shown(path)}; the same command tries again")
        return
    if cached:
        say(f"already done (key {record.key}); run.rerun=true does it again")
    metric = record.metric
    say("")
    say(f"{'':<14}{'val ' + metric:>14}{'test ' + metric:>14}{'best epoch':>12}")
    for row in _rows(record, metric):
        say(row)
    if record.job["method"]["search"]:
        say(f"chosen   {_values(record.chosen)}, out of {len(record.candidates)} candidates")
    if alphas := record.details.get("alpha"):
        many = f"{len(alphas)} from {min(alphas.values()):.3g} to {max(alphas.values()):.3g}"
        say(f"alpha    {_values(alphas) if len(alphas) <= MOST_SHARES else many}")
    spans = [f"{name} {duration(value)}" for name, value in record.seconds.items()]
    say(f"seconds  {', '.join(spans)}")
    say(f"record   {shown(path)}")
    if (model := path.parents[1] / "models" / record.key).is_dir():
        say(f"model    {shown(model)}  (roftbench predict model_dir={shown(model)} input=… output=…)")


def _rows(record: Record, metric: str) -> Iterable[str]:
    base, scores = record.base, record.scores
    lines = [(base.method, base.val, base.test, base.best_epoch)] if base else []
    lines.append((record.name("method"), scores.val, scores.test, record.best_epoch))
    for label, val, test, epoch in lines:
        texts = "".join(f"{score_text(part[metric], 4):>14}" for part in (val, test))
        yield f"{label:<14}{texts}{'–' if epoch is None else epoch:>12}"
