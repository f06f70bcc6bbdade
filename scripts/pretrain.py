"""Pretrain the bundled GIN, self-supervised, by masked-atom modelling on ZINC molecules of MOSES.

A share of the atoms, with the bonds at them, is replaced by the mask tokens; the network predicts each masked atom's
token (element, charge, hydrogens, degree, aromaticity, smallest ring) and each masked bond's type, after the attribute
masking of Hu et al. (ICLR 2020) with the richer atom vocabulary that Mole-BERT (ICLR 2023) argues for: with elements
alone three quarters of the targets are carbon. For every atom, masked or not, it predicts the environment (token, bonds
and neighbours): as in BERT, the atoms that are seen must be represented well too, and most of a token (hydrogens,
charge, ring) is not in the input. From the mean over the atoms it predicts the molecule's composition (log size and
counts of tokens), which a mean loses otherwise. Fragments of the molecules are learned from, too. Molecules of the
benchmark data sets are left out, by canonical SMILES with and without stereochemistry.

    python scripts/pretrain.py --out pretrain/gin_masking --steps 30000

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
import torch.nn.functional as F
from pretrain_corpus import MOSES, NUM_COUNTED, NUM_ENVIRONMENTS, Corpus, load_corpus
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from roftbench.data.packed import Batch
from roftbench.files import atomic, write_text
from roftbench.models.gin import GIN, GINLayer
from roftbench.models.hu import MASK_ATOM, MASK_BOND

MASK_RATE = 0.15
WEIGHT_SCALE, INPUT_SCALE = 20.0, 10.0  # of the exported linear weights, and of the tables before the first of them
FIGURES = ("loss", "atoms", "bonds", "environments", "size", "counts")
CALIBRATION = 10_000  # molecules that give the variances of the composition
RECALIBRATION = 200  # batches of unmasked molecules from which the running statistics are taken at the end


def num_held_out(corpus: Corpus) -> int:
    """Return how many molecules, the first ones of the corpus, are never trained on."""
    return min(4096, len(corpus.graphs) // 10)


class MaskedModel(nn.Module):
    """The encoder with linear classifiers for masked atoms, masked bonds and environments, compositions."""

    center: Tensor
    scale: Tensor

    def __init__(self, corpus: Corpus, dropout: float) -> None:
        super().__init__()
        self.encoder = GIN(dropout=dropout)
        self.atom = nn.Linear(self.encoder.dim, len(corpus.vocabulary))
        self.bond = nn.Linear(self.encoder.dim, 4)
        self.environment = nn.Linear(self.encoder.dim, NUM_ENVIRONMENTS)
        self.composition = nn.Linear(self.encoder.dim, 1 + NUM_COUNTED)
        seen = corpus.composition[:CALIBRATION]
        self.register_buffer("center", seen.mean(dim=0))
        self.register_buffer("scale", seen.std(dim=0).clamp_min(0.05))

    def forward(self, corpus: Corpus, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return [6]: the loss; the shares of masked atoms, masked bonds and environments predicted right; the mean
        squared errors of log size and of log counts, in units of their variance.
        """
        batch = corpus.graphs.batch(index)
        masked = torch.rand(len(batch.x), generator=generator) < MASK_RATE
        source, target = batch.edge_index
        edge_masked = masked[source] | masked[target]
        x, attr = batch.x.clone(), batch.edge_attr.clone()
        x[masked] = torch.tensor([MASK_ATOM, 0])
        attr[edge_masked] = torch.tensor([MASK_BOND, 0])
        h = self.encoder(Batch(x, batch.edge_index, attr, batch.node_ptr, batch.edge_ptr)).out
        nodes = torch.cat(
            [torch.arange(int(corpus.graphs.node_ptr[i]), int(corpus.graphs.node_ptr[i + 1])) for i in index.tolist()]
        )
        wanted = corpus.tokens[nodes[masked]].long()
        once = edge_masked & (source < target)
        bond_wanted = batch.edge_attr[once, 0]
        atoms, bonds = self.atom(h[masked]), self.bond(h[source[once]] + h[target[once]])
        around, around_wanted = self.environment(h), corpus.environments[nodes].long()
        pairs = [(atoms, wanted), (bonds, bond_wanted), (around, around_wanted)]
        loss = sum(F.cross_entropy(outputs.float(), target, ignore_index=-1) for outputs, target in pairs)
        right = [(outputs.argmax(1) == target).float().mean() for outputs, target in pairs]
        whole = (corpus.composition[index] - self.center) / self.scale
        guess = self.composition(self.encoder.readout(h.float(), batch))
        errors = (guess.float() - whole).square().mean(dim=0)
        size, counts = errors[0], errors[1:].mean()
        return torch.stack([loss + size + counts, *right, size, counts])


def learning_rate(step: int, args: argparse.Namespace) -> float:
    """Linear warm-up over 500 steps, then a cosine to zero."""
    progress = step / args.steps
    return float(args.lr * min(1.0, (step + 1) / 500) * 0.5 * (1 + np.cos(np.pi * progress)))


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


def train(args: argparse.Namespace, corpus: Corpus) -> MaskedModel:
    """Train to `steps`, from the last saved state if there is one."""
    torch.manual_seed(args.seed)
    model = MaskedModel(corpus, args.dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
    state_path, step, started = args.out / "state.pt", 0, time.monotonic()
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    bar = tqdm(batches(args, corpus, step), initial=step, total=args.steps, desc="pretrain", disable=None)
    totals = torch.zeros(6)
    for index in bar:
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
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
            log(args, step=step, seconds=time.monotonic() - started, **named("", mean),
                **named("held_out_", held_out(args, model, corpus)))  # fmt: skip
            save_state(state_path, model, optimizer, step)
    return model


def held_out(args: argparse.Namespace, model: MaskedModel, corpus: Corpus) -> Tensor:
    """Return the model's figures [6] on the held-out molecules, with fixed masks, in eval mode."""
    model.eval()
    chunks = torch.arange(num_held_out(corpus)).split(512)
    with torch.no_grad():
        parts = [model(corpus, index, generator(args.seed, 3, i)) for i, index in enumerate(chunks)]
    return torch.stack(parts).mean(0)


def named(prefix: str, figures: Tensor) -> dict[str, float]:
    """Give the model's figures [6] their names."""
    return dict(zip((f"{prefix}{name}" for name in FIGURES), figures.tolist(), strict=True))


def log(args: argparse.Namespace, **values: float) -> None:
    """Append one JSON line to the log and print it."""
    line = json.dumps({key: round(value, 5) for key, value in values.items()})
    with (args.out / "log.jsonl").open("a") as file:
        file.write(line + "\n")
    tqdm.write(line)


def save_state(path: Path, model: MaskedModel, optimizer: torch.optim.Adam, step: int) -> None:
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


def rescale(encoder: GIN) -> None:
    """Enlarge the weights without changing the function: batch norm takes the factor out again.

    Adam moves a weight by about the learning rate a step, whatever its size. The linear weights of the public encoders
    of Hu et al. have standard deviations of 0.7 to 1.6 after their long training, ours 0.04, as at initialisation, so
    that the learning rate at which the former are fine-tuned (1e-3) would erase the latter within a few epochs. The
    very last linear map stays as it is: what it puts out, of which feature-map regularisation is a function, then has
    a variance of some hundreds before batch norm, as in the public encoders.
    """
    with torch.no_grad():
        for table in encoder.blocks()["embed"].parameters():
            table.mul_(INPUT_SCALE)
        last = len(encoder.gnns) - 1
        for number, (layer, norm) in enumerate(zip(encoder.gnns, encoder.batch_norms, strict=True)):
            assert isinstance(layer, GINLayer)
            before = INPUT_SCALE if number == 0 else 1.0  # later layers get what batch norm puts out
            second = 1.0 if number == last else WEIGHT_SCALE
            layer.edge_embedding1.weight.mul_(before)
            layer.edge_embedding2.weight.mul_(before)
            weight1, bias1, weight2, bias2 = layer.mlp.parameters()
            weight1.mul_(WEIGHT_SCALE)
            bias1.mul_(before * WEIGHT_SCALE)
            weight2.mul_(second)
            factor = before * WEIGHT_SCALE * second
            bias2.mul_(factor)
            statistics = dict(norm.named_buffers())
            statistics["running_mean"].mul_(factor)
            statistics["running_var"].mul_(factor**2)


def export(args: argparse.Namespace, model: MaskedModel, corpus: Corpus, commit: str) -> None:
    """Write the encoder as safetensors with its provenance, in the file's metadata and beside it."""
    recalibrate(model.encoder, corpus, args)
    rescale(model.encoder)
    last = json.loads((args.out / "log.jsonl").read_text().splitlines()[-1])
    card = {
        "task": "masked atoms and bonds, environments, composition (self-supervised)",
        "data": str(args.smiles.name) if args.smiles else f"MOSES (ZINC clean leads), {MOSES[0]} {MOSES[1]}, MIT",
        "molecules": corpus.counts,
        "vocabulary": len(corpus.vocabulary),
        "steps": args.steps, "batch_size": args.batch_size, "lr": args.lr, "mask_rate": MASK_RATE,
        "dropout": args.dropout, "seed": args.seed,
        "matrix_products": "bfloat16" if args.bf16 else "float32",
        "final": last,
        "commit": commit,
        "command": f"python scripts/pretrain.py --out {args.out} --steps {args.steps}"
        f" --batch-size {args.batch_size} --lr {args.lr} --dropout {args.dropout} --seed {args.seed}"
        + " --bf16" * args.bf16
        + (f" --limit {args.limit}" if args.limit else "")
        + " --benchmarks FOLDER_OF_PUBLISHED_FILES" * bool(args.benchmarks),
    }  # fmt: skip
    weights = {key: value.contiguous() for key, value in model.encoder.state_dict().items()}
    with atomic(args.out / "encoder.safetensors") as temporary:
        temporary.write_bytes(save(weights, metadata={"provenance": json.dumps(card)}))
    write_text(args.out / "encoder.json", json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for corpus, log, state and result")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.0, help="that of fine-tuning, so that it changes little")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--every", type=int, default=500, help="steps between log lines and saved states")
    parser.add_argument("--limit", type=int, default=None, help="read this many molecules only")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--wheel", type=Path, help="the wheel of molsets, if already at hand")
    source.add_argument("--smiles", type=Path, help="learn from this text file instead, one SMILES a line")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[], help="folders with more files to leave out")
    return parser.parse_args()


def main() -> None:
    """Build the corpus, train, export."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    root = Path(__file__).resolve().parent
    # Before the long part: the commit that is at work, not one made meanwhile.
    found = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    corpus = load_corpus(args)
    export(args, train(args, corpus), corpus, found.stdout.strip())


if __name__ == "__main__":
    main()
