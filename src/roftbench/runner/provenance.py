"""What a job's record holds (PROTOCOL §5), in plain JSON values."""

import os
import platform
import subprocess
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from roftbench import __version__
from roftbench.config.job import Job
from roftbench.metrics import undefined_tasks
from roftbench.store.record_schema import SCHEMA
from roftbench.store.results import Record

if TYPE_CHECKING:
    from roftbench.runner.experiment import Bench, Tried

ARITHMETIC = 4  # raise it when sums are made in another order, which moves last digits
NEARLY_ONE = 0.999
PACKAGES = ("torch", "torch-geometric", "rdkit", "numpy", "scikit-learn", "hydra-core")


def head(job: Job, status: str) -> Record:
    """Return what every record starts with."""
    return {"schema": SCHEMA, "key": job.key, "status": status, "job": job.identity()}


def assemble(bench: "Bench", candidates: list[dict[str, Any]], best: "Tried", train: dict[str, Any]) -> Record:
    """Return the record of a finished job; the chosen candidate gives its scores, history and test predictions."""
    dataset, problem, fitting = bench.dataset, bench.problem, best.fitting
    return {
        **head(bench.job, "done"),
        "scores": {"train": train, **best.scores},
        "base": fitting.base,
        "chosen": best.params,
        "candidates": candidates,
        "best_epoch": fitting.best_epoch,
        "details": fitting.info,
        "stages": fitting.stages,
        "history": fitting.history,
        "count": count(bench),
        "warnings": bench.warnings,
        "data": {
            "sha256": dataset.spec.sha256,
            "place": dataset.place,
            "rows": dataset.num_rows,
            "kept": len(dataset),
            "dropped": [asdict(row) for row in dataset.dropped],
            "split_sha256": bench.whole.sha256,
            "parts_sha256": bench.parts.sha256,  # of the split with its labels cut
            "undefined_tasks": {
                name: undefined_tasks(problem.task, dataset.y[part])
                for name, part in (("val", bench.parts.val), ("test", bench.parts.test))
            },
        },
        "test_predictions": {
            "row": dataset.rows[bench.parts.test].tolist(),
            "prediction": [[_rounded(value, problem.task) for value in row] for row in best.predictions],
        },
        "seconds": dict(bench.seconds),
        "env": environment(bench.device),
    }


def _rounded(value: float, task: str) -> float:
    """Return a prediction to nine significant digits; a probability close to 1 in full, since ranks depend on it."""
    return float(value) if task == "classification" and value > NEARLY_ONE else float(f"{value:.9g}")


def count(bench: "Bench") -> dict[str, Any]:
    """Return how many graphs each part has and how many labels were used for what (PROTOCOL §3)."""
    parts = {"train": bench.parts.train, "val": bench.parts.val, "test": bench.parts.test}
    labels = {name: int((~np.isnan(bench.dataset.y[index])).sum()) for name, index in parts.items()}
    return {
        "graphs": {name: len(index) for name, index in parts.items()},
        "labels": {
            "weights": labels["train"],
            "selection": labels["val"] if bench.selects else 0,
            "interpolation": labels["val"] if bench.method.fits_on_validation else 0,
            "test": labels["test"],
        },
    }


def environment(device: torch.device) -> dict[str, Any]:
    """Return versions, commit and machine: what may explain a difference between two records."""
    return {
        "roftbench": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        **{name: version_of(name) for name in PACKAGES},
        **arithmetic(device),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def arithmetic(device: torch.device) -> dict[str, Any]:
    """Return what decides the last digits of a result, or the graphs it rests on: another RDKit may make other ones."""
    return {
        "torch": version_of("torch"),
        "rdkit": version_of("rdkit"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "arithmetic": ARITHMETIC,
    }


@cache
def commit() -> str | None:
    """Return the git commit of a source checkout ("…-dirty" with local changes), None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


@cache
def version_of(package: str) -> str | None:
    """Return the version of an installed package, None where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
