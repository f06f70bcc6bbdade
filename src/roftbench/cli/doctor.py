"""`roftbench doctor`: versions, devices, launchers, writable folders and training speed of this machine."""

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from roftbench.__about__ import __version__
from roftbench.cli.cache import files_of, kinds
from roftbench.config.paths import Paths, absolute
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.data.workers import cores
from roftbench.formatting import byte_size, printable_name
from roftbench.methods.adam import Adam
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.runner.provenance import PACKAGES, version_of
from roftbench.store.locks import no_locks
from roftbench.sweep.launchers import EXTRAS

MORE_PACKAGES = (
    "pandas",
    "pyarrow",
    "safetensors",
    "hydra-joblib-launcher",
    "hydra-submitit-launcher",
    "ray",
    "optuna",
)
BATCH = ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C)C(=O)N2C"] * 16  # 32 molecules of 13 and 14 atoms
STEPS = 5

Facts = dict[str, Any]


def run(paths: Paths, *, as_json: bool) -> int:
    """Print the findings; returns 0, or 1 if results or cache cannot be written."""
    facts = examine(paths)
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        for name, text in _words(facts).items():
            print(printable_name(f"{name:>14}  {text}"))
    return int(any(folder["problem"] for folder in facts["folders"].values()))


def examine(paths: Paths) -> Facts:
    """Return the properties of this machine as plain values."""
    cache = absolute(paths.cache)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return {
        "roftbench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in (*PACKAGES, *MORE_PACKAGES)},
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "launchers": {"basic": True} | {extra: find_spec(package) is not None for extra, package in EXTRAS.values()},
        "folders": {"results": _folder(absolute(paths.results)), "cache": _folder(cache)},
        "cache": {kind.name: {"files": kind.files, "bytes": kind.bytes} for kind in kinds(cache, files_of(cache))},
        "mirror": paths.mirror,
        "offline": paths.offline,
        "training_step_ms": {name: step_ms(torch.device(name)) for name in devices},
    }


def _folder(path: Path) -> Facts:
    """Return whether a folder can be written (by a temporary file) and the free space."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"0" * 65536)
        problem = no_locks(there)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    return {"path": str(path), "exists": path.exists(), "problem": problem, "free_bytes": shutil.disk_usage(there).free}


def step_ms(device: torch.device) -> float:
    """Return milliseconds per training step of the 5-layer, 300-d GIN: the fastest of five after a warm-up step."""
    model = Predictor(GIN(), 1).to(device).train()
    graphs = PackedGraphs.from_graphs(map(smiles_to_graph, BATCH)).to(device)
    batch = graphs.batch(torch.arange(32), shared_layers(model.encoder))
    optimizer = Adam(model.parameters(), 1e-3, fused=True)
    spans = []
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        spans.append(time.perf_counter() - began)
    return round(1000 * min(spans[1:]), 2)


def _words(facts: Mapping[str, Any]) -> dict[str, str]:
    launchers = facts["launchers"]
    missing = [name for name, there in launchers.items() if not there]
    lacking = f"; not installed: {', '.join(missing)} (pip install 'roftbench[{missing[0]}]')" if missing else ""
    steps = ", ".join(f"{name} {span:g} ms" for name, span in facts["training_step_ms"].items())
    folders = {
        name: f"{one['path']}: "
        + (
            f"cannot be written ({one['problem']})"
            if one["problem"]
            else f"writable, {byte_size(one['free_bytes'])} free"
        )
        for name, one in facts["folders"].items()
    }
    cache = ", ".join(f"{name} {one['files']} files {byte_size(one['bytes'])}" for name, one in facts["cache"].items())
    return {
        "roftbench": f"{facts['roftbench']}, Python {facts['python']}, {facts['platform']}",
        "packages": ", ".join(f"{name} {found}" for name, found in facts["packages"].items() if found),
        "processor": f"{facts['cores']} cores, {facts['threads']} threads of torch",
        "GPUs": ", ".join(facts["gpus"]) or "none that torch can use",
        "launchers": ", ".join(name for name, there in launchers.items() if there) + lacking,
        **folders,
        "cached": cache,
        "network": "forbidden (offline)" if facts["offline"] else "allowed for files that are not on this machine",
        "mirror": facts["mirror"] or "none",
        "training step": f"{steps} (5-layer, 300-d GIN, 32 molecules)",
    }
