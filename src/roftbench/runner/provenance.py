"""Versions, commit and machine of a record (docs/protocol.md §5)."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from roftbench.__about__ import __version__

ARITHMETIC = 5  # raise it when sums are computed in another order, which changes last digits
PACKAGES = ("torch", "torch-geometric", "rdkit", "numpy", "scikit-learn", "hydra-core")


def environment(device: torch.device) -> dict[str, Any]:
    """Return versions, commit and machine: possible reasons for a difference between two records."""
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
    """Return what determines the last digits of a result, and the RDKit version, which may change the graphs."""
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
    root = Path(__file__).resolve().parents[3]
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
    """Return the version of an installed package, None where it is missing."""
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
