"""Time `roftbench tables` on the paper's whole grid: real jobs' records, copied under other names and scores."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from roftbench.config.compose import composed
from roftbench.config.parse import parse
from roftbench.report.format import methods
from roftbench.runner.run import run_job
from roftbench.store.checksums import digest
from roftbench.store.record_digest import sealed
from roftbench.store.results import Store

_Values = dict[str, Any]  # of a record's file
DATASETS = {
    "esol": ("esol", "freesolv", "lipo", "malaria", "cep"),
    "bace": ("bace", "bbbp", "clintox", "hiv", "muv", "sider", "tox21", "toxcast"),
}
SPLITS = ("random", "scaffold", "size")
LABELS = {"n50": 50, "n100": 100, "n500": 500, "full": 1000}
GRIDS = {"surgical_ft": 7, "l2_sp": 5, "wise_ft": 5, "feature_map": 5, "bss": 5, "roftmol": 4}  # candidates


def tables(arguments: argparse.Namespace) -> None:
    """Commands over many records, from the shell: list runs, plan, tables (without figures, from scores.csv, with)."""
    number = 100 if arguments.quick else arguments.records
    with TemporaryDirectory() as folder:
        root, out = Path(folder, "results"), Path(folder, "tables")
        print(f"writing {number:,} records")
        write_records(root, number)
        results = f"paths.results={root}"
        peaks: dict[str, float] = {}
        records, figures = [results, "--out", str(out)], ["--no-figures"]
        for name, words in (
            ("list runs", ["list", "runs", results]),
            ("plan of a job", ["plan", "model=tiny_gin", "dataset=esol", "label_ratio=n50", results]),
            ("tables and comparison", ["tables", *records, *figures]),
            ("the same from scores.csv", ["tables", "--from", str(out / "scores.csv"), *figures]),
            ("with figures", ["tables", *records, "--figures"]),
        ):
            seconds, cpu, peaks[name] = _measured(words)
            print(f"{name:<26}{seconds:6.1f} s, {cpu:6.1f} s of CPU", flush=True)
        print("peak memory: " + ", ".join(f"{name} {peak:,.0f} MB" for name, peak in peaks.items()))
        print(f"peak memory of the largest {max(peaks.values()):,.0f} MB")


def _measured(words: Sequence[str]) -> tuple[float, float, float]:
    """Run `roftbench` in a process of its own; returns its seconds, its seconds of CPU and its peak memory in MB."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "roftbench", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, list(words))
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def write_records(root: Path, number: int) -> None:
    """Write `number` records into a results folder: all data sets, splits, label ratios, methods, 5 seeds, models."""
    rng = np.random.default_rng(0)
    (root / "runs").mkdir(parents=True)
    for record in islice(_copies({name: _real(root / "real", name) for name in DATASETS}, rng), number):
        (root / "runs" / f"{record['key']}.json").write_text(sealed(record), encoding="utf-8")


def _real(root: Path, dataset: str) -> _Values:
    """Run a job: the smallest network, 50 labels, the paper's training."""
    overrides = [f"dataset={dataset}", "model=tiny_gin", "method=full_ft", "label_ratio=n50", "run.device=cpu"]
    job, env, _ = parse(composed([*overrides, f"paths.results={root}", f"paths.cache={root}"], None))
    run_job(job, env)
    values: _Values = json.loads(Store(root).record_path(job.key).read_text(encoding="utf-8"))
    del values["digest"]
    return values


def _copies(originals: dict[str, _Values], rng: np.random.Generator) -> Iterator[_Values]:
    names = [(original, name) for original, own in DATASETS.items() for name in own]
    models = (f"model{i}" for i in range(1000))
    for model, (original, dataset), split, (labels, count), method, seed in product(
        islice(models, 20), names, SPLITS, LABELS.items(), methods(), range(5)
    ):
        record = deepcopy(originals[original])
        job = record["job"]
        for part, name in (("model", model), ("dataset", dataset), ("split", split), ("method", method)):
            job[part]["name"] = name
        job["label_ratio"] |= {"name": labels, "count": None if labels == "full" else count}
        record["count"]["labels"]["weights"] = count
        job["seed"] = seed
        record["candidates"] = [
            _candidate(record["candidates"][0], number, rng) for number in range(GRIDS.get(method, 1))
        ]
        record["key"] = digest(job)
        yield record


def _candidate(one: _Values, number: int, rng: np.random.Generator) -> _Values:
    """A candidate with scores of its own and a hyperparameter."""
    scores = {
        part: {name: value and value * rng.uniform(0.8, 1) for name, value in one[part].items()}
        for part in ("val", "test")
    }
    return {**one, **scores, "params": {"weight": 10.0**-number} if number else one["params"]}
