"""`roftbench predict` from the shell: molecules per second, imports and featurizing included."""

import argparse
import os
import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import roftbench
from scripts.speed.setting import say
from scripts.speed.shell import run
from scripts.speed.timing import Row

MODELS = {  # overrides, molecules, target
    "GIN": (["model=gin_masking"], 40_000, "≥ 2,500/s"),
    "MiniMol": (["model=minimol", "model.checkpoint=null"], 10_000, "≥ 200/s"),  # weights do not matter for time
}


def predict(arguments: argparse.Namespace) -> list[Row]:
    """`roftbench predict` on molecules of HIV, with as many worker processes as cores, end to end."""
    rows = []
    smiles = pd.read_csv(Path(roftbench.__file__).parent / "assets/data/hiv.csv.gz", usecols=["smiles"])["smiles"]
    for name, (overrides, number, target) in list(MODELS.items())[: 1 if arguments.quick else None]:
        count = 50 if arguments.quick else number
        with TemporaryDirectory() as folder:
            table = Path(folder, "in.csv")
            pd.DataFrame({"smiles": np.resize(smiles.to_numpy(dtype=object), count)}).to_csv(table, index=False)
            model = _saved(Path(folder), overrides)
            say(f"predict, {name}, {count:,} molecules")
            words = ["predict", f"model_dir={model}", f"input={table}", f"output={folder}/out.csv", "device=cpu"]
            before = _cpu_seconds()
            ended = run(words)
            spent = _cpu_seconds() - before
        what = f"`roftbench predict`, {name}, {count:,} molecules of HIV"
        rows.append(
            Row(f"{what}: per second of {os.cpu_count()} cores", count / ended.seconds, target=target, unit="mol")
        )
        rows.append(Row(f"{what}: per CPU second", count / spent, unit="mol"))
    return rows


def _saved(folder: Path, overrides: list[str]) -> Path:
    """Return the folder of a model with an untrained head for ESOL, which predicts as slowly as a good one."""
    words = ["run", "method=lp", "dataset=esol", "label_ratio=n50", "train=smoke", "run.keep=true", "run.device=cpu"]
    run([*words, *overrides, f"paths.results={folder}"])
    [model] = (folder / "models").iterdir()
    return model


def _cpu_seconds() -> float:
    """Return the CPU time of all processes that have ended, workers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
