"""What is felt at the shell: start-up, featurizing, reading from the cache, peak memory; each in a fresh process."""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import roftbench
from scripts.speed.memory import PeakMemory, high_water_mb
from scripts.speed.setting import say
from scripts.speed.timing import Row

MUV_MOLECULES, MUV_TASKS, MUV_MISSING, MUV_POSITIVE = 93_087, 17, 0.84, 0.002
LOAD = """
import sys, time
from pathlib import Path
from roftbench.config.parse import parse
from roftbench.data.dataset import load_dataset
from roftbench.config.compose import composed
job, env, _ = parse(composed(sys.argv[1:], None))
began = time.perf_counter()
load_dataset(job.dataset, env.cache / "data", env.places)
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Run:
    """What a process took, start included, its peak memory in megabytes, and what it printed."""

    seconds: float
    peak: float
    output: str


def run(words: list[str], *, code: str | None = None) -> Run:
    """Run `roftbench` with these words, or Python code, in a process of its own.

    Raises:
        RuntimeError: it failed; the message is what it printed.
    """
    program = ["-m", "roftbench"] if code is None else ["-c", code]
    with TemporaryDirectory() as folder, Path(folder, "output").open("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *program, *words], stdout=output, stderr=subprocess.STDOUT)
        with PeakMemory(partial(high_water_mb, process.pid), every=0.05) as memory:
            process.wait()
            span = time.perf_counter() - began
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{words}: {text}")
    return Run(span, memory.peak, text)


def start(arguments: argparse.Namespace) -> list[Row]:
    """Start-up from the shell: imports, `--help`, `list`, and `run` with one epoch of two steps."""
    rounds, warm_up = (1, 0) if arguments.quick else (6, 1)
    with TemporaryDirectory() as folder:
        job = ["run", "method=full_ft", "label_ratio=n50", "train.epochs=1", "run.rerun=true", "run.device=cpu"]
        job += [f"paths.results={folder}", f"paths.cache={folder}"]
        commands = {
            "`import roftbench`": (("", "import roftbench"), ""),
            "`import torch`": (("", "import torch"), ""),
            "`roftbench --help`": (("--help", None), "≤ 0.4 s"),
            "`roftbench list models`": (("list models", None), "≤ 1 s"),
            "`roftbench list datasets`": (("list datasets", None), "≤ 1 s"),
            "`roftbench run`, ESOL, 2 steps, to its end": ((" ".join(job), None), "first step ≤ 6 s"),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds):
            say(f"start-up, round {number + 1} of {rounds}")
            for name, ((words, code), _) in commands.items():
                span = run(words.split(), code=code).seconds
                if number >= warm_up:
                    times[name].append(span)
    return [Row(name, median(times[name]), target=target) for name, (_, target) in commands.items()]


def scale(arguments: argparse.Namespace) -> list[Row]:
    """Featurizing and reading HIV and a table of MUV's size, and the peak memory of jobs on ESOL and on that table."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "large.csv")
        count = 2000 if arguments.quick else MUV_MOLECULES
        write_like_muv(path, count)
        like_muv = f"{count:,} molecules, {MUV_TASKS} tasks"
        large = ["dataset=csv", f"dataset.path={path}", "split=random", "dataset.task=classification"]
        hiv = [] if arguments.quick else [("HIV, 41 k molecules", ["dataset=hiv"], "≤ 25 s")]
        folders = [f"paths.results={folder}", f"paths.cache={folder}"]
        rows = []
        for name, words, target in [*hiv, (like_muv, large, "≤ 60 s")]:
            say(f"featurizing and reading {name}")
            for what, limit in (("featurize", target), ("read from the cache", "≤ 1 s")):
                output = run([*words, *folders], code=LOAD).output
                rows.append(Row(f"{name}: {what}", float(output.split()[-1]), target=limit))
        brief = ["method=full_ft", "label_ratio=n500", "train.epochs=1", "run.device=cpu", *folders]
        for name, words, target in (("ESOL", ["dataset=esol"], "≤ 600 MB"), (like_muv, large, "≤ 3,000 MB")):
            say(f"memory of a job on {name}")
            ran = run(["run", *brief, *words])
            rows.append(Row(f"{name}: peak memory of a full_ft job", ran.peak, target=target, unit="MB"))
    return rows


def write_like_muv(path: Path, rows: int) -> None:
    """Write HIV's molecules, again and again, with random labels as many and as sparse as MUV's."""
    smiles = pd.read_csv(Path(roftbench.__file__).parent / "assets/data/hiv.csv.gz", usecols=["smiles"])["smiles"]
    rng = np.random.default_rng(0)
    labels = (rng.random((rows, MUV_TASKS)) < MUV_POSITIVE).astype(float)
    labels[:50] = rng.integers(0, 2, (50, MUV_TASKS))  # both classes in every task, however few rows
    labels[rng.random(labels.shape) < MUV_MISSING] = np.nan
    names = [f"task{number}" for number in range(MUV_TASKS)]
    molecules = np.resize(smiles.to_numpy(dtype=object), rows)
    pd.DataFrame({"smiles": molecules, **dict(zip(names, labels.T, strict=True))}).to_csv(path, index=False)
