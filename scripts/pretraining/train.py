"""Pretrain a bundled GIN on the corpus that `corpus.py` builds; what it learns is `--task`, one of `tasks.py`.

    python -m scripts.pretraining.train --task ssl --corpus pretrain/corpus --out pretrain/gin_ssl --steps 20000 --bf16

The same command goes on where an interrupted one stopped: every random number follows from the seed and the step.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.gin import GIN
from roftbench.models.rescaling import INPUT_SCALE, WEIGHT_SCALE, rescale
from roftbench.store.files import atomic, write_text
from scripts.pretraining.corpus import Corpus, load_corpus
from scripts.pretraining.tasks import TASKS, Task

SIZE, SHIFT = 0.5, 0.5  # of the exported encoder's pooled representations
RECALIBRATION = 200  # batches of untouched molecules from which the running statistics are taken at the end


def num_held_out(corpus: Corpus) -> int:
    """Return how many molecules, the first ones of the corpus, are never trained on."""
    return min(4096, len(corpus.graphs) // 10)


def schedule(step: int, args: argparse.Namespace) -> tuple[float, float]:
    """Return learning rate (linear warm-up over 500 steps, then a cosine to zero) and dropout of a step.

    Dropout grows linearly, to its value at half of the steps: from the first step on it slows learning down, and
    without it the weights would be foreign to fine-tuning with dropout.
    """
    progress = step / args.steps
    lr = args.lr * min(1.0, (step + 1) / 500) * 0.5 * (1 + np.cos(np.pi * progress))
    return float(lr), args.dropout * min(1.0, 2 * progress)


def generator(*key: int) -> torch.Generator:
    """Return a generator seeded by a tuple of integers."""
    digest = sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def batches(args: argparse.Namespace, corpus: Corpus, start: int) -> Iterator[Tensor]:
    """Yield index batches from step `start` on: a new permutation each epoch, the held-out molecules left out."""
    size, skip = len(corpus.graphs), num_held_out(corpus)
    per_epoch = max(1, (size - skip) // args.batch_size)
    for step in range(start, args.steps):
        epoch, position = divmod(step, per_epoch)
        if position == 0 or step == start:
            order = torch.randperm(size - skip, generator=generator(args.seed, 1, epoch)) + skip
        yield order[position * args.batch_size : (position + 1) * args.batch_size]


def train(args: argparse.Namespace, corpus: Corpus) -> Task:
    """Train to `steps`, from the last saved state if there is one."""
    torch.manual_seed(args.seed)
    model = TASKS[args.task](corpus).to(args.device)
    corpus = corpus.to(torch.device(args.device))
    if args.init:
        start_from(model.encoder, args.init)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
    state_path, step = args.out / "state.pt", 0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True, map_location=args.device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    began, started = step, time.monotonic()
    bar = tqdm(batches(args, corpus, step), initial=step, total=args.steps, desc="pretrain", disable=None)
    totals = torch.zeros(len(model.figures), device=args.device)
    for index in bar:
        model.train()
        lr, model.encoder.dropout = schedule(step, args)
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
            torch.manual_seed(generator(args.seed, 5, step).initial_seed())  # dropout, the same after a resumption
            figures = model(corpus, index, generator(args.seed, 2, step))
        optimizer.zero_grad(set_to_none=True)
        figures[0].backward()
        optimizer.step()
        totals += figures.detach()
        step += 1
        if step % args.every == 0 or step == args.steps:
            if not torch.isfinite(totals).all():
                raise SystemExit(f"the loss is not finite at step {step}: lower --lr")
            mean = totals / ((step - 1) % args.every + 1)
            totals.zero_()
            seconds = time.monotonic() - started  # with the evaluations before
            rate = (step - began) * args.batch_size / seconds
            log(args, step=step, seconds=seconds, molecules_per_second=rate, **named(model, "", mean),
                **named(model, "held_out_", held_out(args, model, corpus)))  # fmt: skip
            save_state(state_path, model, optimizer, step)
    return model


def start_from(encoder: GIN, path: Path) -> None:
    """Load an encoder that this script has exported, at the scale that its weights were trained at."""
    load_checkpoint(encoder, str(path), None)
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["provenance"])
    if "--no-rescale" not in card["command"].split():
        rescale(encoder, 1 / WEIGHT_SCALE, 1 / INPUT_SCALE)


def held_out(args: argparse.Namespace, model: Task, corpus: Corpus) -> Tensor:
    """Return the task's figures on the held-out molecules, with fixed masks, in eval mode."""
    model.eval()
    chunks = torch.arange(num_held_out(corpus)).split(512)
    with torch.no_grad():
        parts = [model(corpus, index, generator(args.seed, 3, i)) for i, index in enumerate(chunks)]
    return torch.stack(parts).mean(0)


def named(model: Task, prefix: str, figures: Tensor) -> dict[str, float]:
    """Give the task's figures their names."""
    return dict(zip((f"{prefix}{name}" for name in model.figures), figures.tolist(), strict=True))


def log(args: argparse.Namespace, **values: float) -> None:
    """Append one JSON line to the log and print it."""
    line = json.dumps({key: round(value, 5) for key, value in values.items()})
    with (args.out / "log.jsonl").open("a") as file:
        file.write(line + "\n")
    tqdm.write(line)


def save_state(path: Path, model: Task, optimizer: torch.optim.Adam, step: int) -> None:
    """Write everything that resuming needs, atomically."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    with atomic(path) as temporary:
        torch.save(state, temporary)


def recalibrate(encoder: GIN, corpus: Corpus, args: argparse.Namespace) -> None:
    """Replace the running statistics, gathered on masked molecules, by averages over unmasked ones."""
    for norm in encoder.modules():
        if not isinstance(norm, nn.BatchNorm1d):
            continue
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    encoder.train()
    skip = num_held_out(corpus)
    order = torch.randperm(len(corpus.graphs) - skip, generator=generator(args.seed, 4)) + skip
    with torch.no_grad():
        for index in order[: RECALIBRATION * 256].split(256):
            encoder(corpus.graphs.batch(index))


@torch.no_grad()
def representation_size(encoder: GIN, corpus: Corpus) -> float:
    """Return the root mean square of pooled representations of the held-out molecules."""
    encoder.eval()
    batches = [corpus.graphs.batch(index) for index in torch.arange(num_held_out(corpus)).split(512)]
    pooled = torch.cat([encoder.readout(encoder(batch).out, batch) for batch in batches])
    return float(pooled.square().mean().sqrt())


@torch.no_grad()
def normalize(encoder: GIN, size: float) -> None:
    """Bring pooled representations of this root mean square to 1/2, about a mean of about 1/2.

    The last batch norm's scale and shift: what a linear head can express does not depend on them, how fast does.
    About a mean of zero the head finds the labels' mean through one number alone, by 1e-3 a step, and fits fifty labels
    one by one before. Of 1 or 1/2 and 0, 1/2 or 1 these were the best by validation scores of linear probing (ESOL,
    Lipo, BBBP, BACE; 50 and 500 labels). MiniMol's representations have 0.46 about means of 0.77.
    """
    for parameter in encoder.batch_norms[-1].parameters():
        parameter.mul_(SIZE / size)
    encoder.batch_norms[-1].bias.add_(SHIFT)  # type: ignore[operator]


def export(args: argparse.Namespace, model: Task, corpus: Corpus, commit: str) -> None:
    """Write the encoder as safetensors with its provenance, in the file's metadata and beside it."""
    recalibrate(model.encoder, corpus, args)
    if not args.no_rescale:
        rescale(model.encoder)
    size = representation_size(model.encoder, corpus)
    if not args.no_normalize:
        normalize(model.encoder, size)
    last = json.loads((args.out / "log.jsonl").read_text().splitlines()[-1])
    names = ("task", "corpus", "out", "steps", "batch_size", "lr", "dropout", "seed")
    options = " ".join(f"--{name.replace('_', '-')} {getattr(args, name)}" for name in names)
    card = {
        "task": model.about,
        "corpus": corpus.info,
        "targets": [target for name in model.targets for target in corpus.names[name]],
        **({"started from": sha256(args.init.read_bytes()).hexdigest()} if args.init else {}),
        **{name: getattr(args, name) for name in ("steps", "batch_size", "lr", "dropout", "seed")},
        "matrix_products": "bfloat16" if args.bf16 else "float32",
        "final": last,
        "root mean square of representations"
        + f", then scaled to {SIZE} and shifted by {SHIFT}" * (not args.no_normalize): round(size, 4),
        "commit": commit,
        "command": f"python -m scripts.pretraining.train {options}"
        + " --bf16" * args.bf16
        + " --no-rescale" * args.no_rescale
        + " --no-normalize" * args.no_normalize
        + (f" --init {args.init.name}" if args.init else ""),
    }
    weights = {key: value.contiguous() for key, value in model.encoder.state_dict().items()}
    with atomic(args.out / "encoder.safetensors") as temporary:
        temporary.write_bytes(save(weights, metadata={"provenance": json.dumps(card)}))
    write_text(args.out / "encoder.json", json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that scripts.pretraining.corpus wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for log, state and result")
    parser.add_argument("--init", type=Path, help="start from an encoder that this script has exported")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.5, help="that of fine-tuning, reached at half of the steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    parser.add_argument("--no-rescale", action="store_true", help="leave the size of the weights as trained")
    parser.add_argument("--no-normalize", action="store_true", help="leave size and mean of representations as trained")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--every", type=int, default=500, help="steps between log lines and saved states")
    return parser.parse_args()


def main() -> None:
    """Train, export."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    root = Path(__file__).resolve().parent
    # Before the long part: the commit that is at work, not one made meanwhile.
    found = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    corpus = load_corpus(args.corpus)
    export(args, train(args, corpus).to("cpu"), corpus, found.stdout.strip())


if __name__ == "__main__":
    main()
