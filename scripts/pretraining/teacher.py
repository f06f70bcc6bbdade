"""Add what another encoder, the teacher, makes of a corpus: its graph representations, targets of the task `distilled`.

    python -m scripts.pretraining.teacher --corpus pretrain/corpus --model minimol

The same command goes on where an interrupted one stopped, a shard of SHARD molecules at a time.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

import roftbench
from roftbench.config.registry import options
from roftbench.store.files import atomic
from scripts.pretraining.corpus import TEACHER, load_corpus

SHARD = 8192


def represent(smiles: list[str], model: str, path: Path) -> Tensor:
    """Return the teacher's representations of molecules, [N, d] float16, NaN where it cannot read one.

    They are read from the file if it is there, and written into it if not.
    """
    if not path.exists():
        values = torch.from_numpy(roftbench.embed(smiles, model=model)).half()
        with atomic(path) as temporary:
            save_file({TEACHER: values}, temporary)
    known: Tensor = load_file(path)[TEACHER]
    return known


def add_teacher(folder: Path, model: str, shard: int = SHARD) -> None:
    """Embed the corpus of a folder by a model and write `teacher.safetensors` into the folder."""
    smiles = load_corpus(folder).smiles
    starts = {folder / f"{model}-{at // shard:05}.safetensors": at for at in range(0, len(smiles), shard)}
    bar = tqdm(starts.items(), desc=model, unit="shard", disable=None)
    parts = [represent(smiles[start : start + shard], model, path) for path, start in bar]
    about = {"model": model, "sha256": str(options("model")[model].get("sha256"))}
    with atomic(folder / f"{TEACHER}.safetensors") as temporary:
        save_file({TEACHER: torch.cat(parts)}, temporary, metadata=about)
    for path in starts:
        path.unlink()


def main() -> None:
    """Read the command line, embed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that scripts.pretraining.corpus wrote")
    parser.add_argument("--model", required=True, help="name of the teacher: roftbench list models")
    args = parser.parse_args()
    add_teacher(args.corpus, args.model)


if __name__ == "__main__":
    main()
