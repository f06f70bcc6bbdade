"""Metrics of large test parts, and a table of a million rows from file to packed graphs."""

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import roftbench
from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import load_dataset
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.data.table.load import complete
from roftbench.metrics import evaluate
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.store.downloads import Places
from scripts.speed.memory import PeakMemory
from scripts.speed.timing import print_table, seconds

# Test parts of the two data sets with the most labels: molecules, tasks, share missing, share of positives.
TEST_PARTS = {"ToxCast": (858, 617, 0.71, 0.2), "MUV": (9309, 17, 0.84, 0.002)}


def bundled_molecules(number: int) -> Batch:
    """Return the first molecules of the bundled data set Lipo as one batch."""
    table = pd.read_csv(Path(roftbench.__file__).parent / "assets/data/lipo.csv.gz", nrows=number)
    graphs = PackedGraphs.from_graphs([smiles_to_graph(smiles) for smiles in table["smiles"]])
    return graphs.batch(torch.arange(len(graphs)))


def labels(shape: tuple[int, int], missing: float, positive: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return random 0/1 labels with gaps (NaN)."""
    y = (rng.random(shape) < positive).astype(np.float64)
    y[rng.random(shape) < missing] = np.nan
    return y


def metrics(arguments: argparse.Namespace) -> None:
    """All metrics, and ROC-AUC alone, of a test part, beside the network's forward pass over its molecules."""
    shrink, repeats = (20, 2) if arguments.quick else (1, 5)
    batch = bundled_molecules(858 // shrink)
    network = Predictor(GIN(), 617).eval()
    with torch.no_grad():
        forward = seconds(lambda: network(batch), repeats) / batch.num_graphs
    rng = np.random.default_rng(0)
    rows = []
    for name, (molecules, tasks, missing, positive) in TEST_PARTS.items():
        shape = (molecules // shrink, tasks)
        y, prediction = labels(shape, missing, positive, rng), rng.random(shape)
        score = partial(evaluate, "classification", y, prediction)
        whole, one = seconds(score, repeats), seconds(partial(score, ["roc_auc"]), repeats)
        passing = forward * shape[0]
        times = [f"{1000 * value:.1f} ms" for value in (whole, one, passing)]
        rows.append([name, *map(str, shape), *times, f"{whole / passing:.2%}", f"{one / passing:.2%}"])
    print_table(
        ["part", "molecules", "tasks", "all metrics", "roc_auc", "forward", "all/forward", "roc_auc/forward"], rows
    )
    print(f"forward: the network over as many molecules, timed on one batch of {batch.num_graphs} from Lipo")


def featurize(arguments: argparse.Namespace) -> None:
    """A table of a million rows from file to packed graphs and scaffolds, on all cores, with its peak memory."""
    rows = 6_000 if arguments.quick else arguments.rows
    with TemporaryDirectory() as folder:
        path = Path(folder, "large.csv")
        hiv = pd.read_csv(Path(roftbench.__file__).parent / "assets/data/hiv.csv.gz", usecols=["smiles"])["smiles"]
        values = np.random.default_rng(0).normal(size=rows).round(4)
        smiles = np.resize(hiv.to_numpy(dtype=object), rows)
        pd.DataFrame({"smiles": smiles, "y": values}).to_csv(path, index=False)
        places = Places(Path(folder))
        lines: list[tuple[str, float, float]] = []
        with PeakMemory() as memory:
            began = time.perf_counter()
            spec, _ = complete(DatasetSpec(path=str(path)), places)
            lines.append(("guess columns and task", time.perf_counter() - began, memory.peak))
            began = time.perf_counter()
            dataset = load_dataset(spec, Path(folder), places)
            lines.append(("read, featurize, pack, write", time.perf_counter() - began, memory.peak))
            began = time.perf_counter()
            dataset.scaffold_groups()
            lines.append(("scaffolds", time.perf_counter() - began, memory.peak))
            began = time.perf_counter()
            load_dataset(spec, Path(folder), places)
            lines.append(("read again from the cache", time.perf_counter() - began, memory.peak))
    table = [[name, f"{span:.1f} s", f"{rows / span:,.0f}", f"{peak:,.0f} MB"] for name, span, peak in lines]
    print_table([f"{rows:,} rows", "time", "rows/s", "peak so far"], table)
    print("peak: proportional set size of this process and its workers, sampled twice a second")
