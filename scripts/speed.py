"""Time what roftbench does often on this machine.

python scripts/speed.py metrics
python scripts/speed.py metrics --quick
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import roftbench
from roftbench.data.featurize import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.metrics import evaluate
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN

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


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {"metrics": metrics}


def main() -> None:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(description="Time what roftbench does often.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.add_argument(
            "--quick", action="store_true", help="small shapes, few repeats: only to see that it works"
        )
        command.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    main()
