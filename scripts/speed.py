"""Time what roftbench does often on this machine.

python scripts/speed.py metrics
python scripts/speed.py featurise --rows 100000
python scripts/speed.py tables --records 40000
python scripts/speed.py metrics --quick
"""

import argparse
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from speed_tables import tables

import roftbench
from roftbench.data.dataset import load_dataset
from roftbench.data.featurize import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.data.spec import DatasetSpec
from roftbench.data.table import complete
from roftbench.metrics import evaluate
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.sources import Places

# Test parts of the two data sets with the most labels: molecules, tasks, share missing, share of positives.
TEST_PARTS = {"ToxCast": (858, 617, 0.71, 0.2), "MUV": (9309, 17, 0.84, 0.002)}


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of `repeats` calls, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text, the first column aligned left and the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for first, *others in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]))


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


def featurise(arguments: argparse.Namespace) -> None:
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
            lines.append(("read, featurise, pack, write", time.perf_counter() - began, memory.peak))
            began = time.perf_counter()
            dataset.scaffold_groups()
            lines.append(("scaffolds", time.perf_counter() - began, memory.peak))
            began = time.perf_counter()
            load_dataset(spec, Path(folder), places)
            lines.append(("read again from the cache", time.perf_counter() - began, memory.peak))
    table = [[name, f"{span:.1f} s", f"{rows / span:,.0f}", f"{peak:,.0f} MB"] for name, span, peak in lines]
    print_table([f"{rows:,} rows", "time", "rows/s", "peak so far"], table)
    print("peak: proportional set size of this process and its workers, sampled twice a second")


class PeakMemory:
    """Samples, while open, the memory of this process and of those below it (Linux), in megabytes."""

    peak = 0.0

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, sum(map(proportional_mb, family(os.getpid()))))
            if self._stop.wait(0.5):
                return


def family(process: int) -> list[int]:
    """Return a process and all below it."""
    try:
        lists = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        lists = []
    return [process, *(one for children in lists for child in children for one in family(int(child)))]


def proportional_mb(process: int) -> float:
    """Return a process's memory, with shared pages divided among those that share them; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "metrics": metrics,
    "featurise": featurise,
    "tables": tables,
}


def main() -> None:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(description="Time what roftbench does often.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.add_argument(
            "--quick", action="store_true", help="small shapes, few repeats: only to see that it works"
        )
        if function is tables:
            command.add_argument("--records", type=int, default=40_000, help="how many (default: 40,000)")
        if function is featurise:
            command.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default: a million)")
        command.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    main()
