"""Pretrain the bundled GIN, self-supervised, by masked-atom modelling on ZINC molecules of MOSES.

A share of the atoms, with the bonds at them, is replaced by the mask tokens; the network predicts each masked atom's
token (element, charge, hydrogens, degree, aromaticity, smallest ring) and each masked bond's type, after the attribute
masking of Hu et al. (ICLR 2020) with the richer atom vocabulary that Mole-BERT (ICLR 2023) argues for: with elements
alone three quarters of the targets are carbon. Molecules of the benchmark data sets are left out, by canonical SMILES
with and without stereochemistry.

    python scripts/pretrain.py --out pretrain/gin_masking --steps 30000

The same command goes on where an interrupted one stopped: every random number follows from the seed and the step.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rdkit import Chem
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from roftbench.data.featurize import FeaturizeError, molecule_to_graph, parse_smiles
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.gin import GIN, MASK_ATOM, MASK_BOND

MOSES = ("molsets", "0.3.1", "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34")
MEMBERS = ("moses/dataset/data/train.csv.gz", "moses/dataset/data/test.csv.gz")
ASSETS = Path(__file__).resolve().parents[1] / "src/roftbench/assets"
HELD_OUT, MASK_RATE, CHUNK = 4096, 0.15, 4096
RECALIBRATION = 200  # batches of unmasked molecules from which the running statistics are taken at the end


@dataclass(frozen=True)
class Corpus:
    """Packed molecules and, for each atom, the index of its token in the vocabulary (most frequent first)."""

    graphs: PackedGraphs
    tokens: Tensor
    vocabulary: list[str]
    counts: dict[str, int]


# --- data -------------------------------------------------------------------------------------------------------------


def benchmark_smiles(folders: list[Path]) -> set[str]:
    """Return canonical SMILES, with and without stereochemistry, of every molecule in the CSV files of the folders."""
    found: set[str] = set()
    for path in sorted(path for folder in folders for path in folder.glob("*.csv*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", newline="") as file:
            rows = csv.DictReader(file)
            column = next(name for name in ("smiles", "mol") if name in (rows.fieldnames or []))
            texts = [row[column] for row in rows if row[column]]
        for text in tqdm(texts, desc=f"excluding {path.name}", disable=None):
            try:
                molecule = parse_smiles(text)
            except FeaturizeError:
                continue
            found |= {Chem.MolToSmiles(molecule), Chem.MolToSmiles(molecule, isomericSmiles=False)}
    return found


def atom_tokens(molecule: Chem.Mol) -> list[str]:
    """Return one token an atom: element, formal charge, hydrogens, degree, aromaticity, smallest ring."""
    rings = molecule.GetRingInfo()
    return [
        f"{atom.GetSymbol()}{atom.GetFormalCharge():+d}H{atom.GetTotalNumHs()}D{atom.GetDegree()}"
        f"{'a' if atom.GetIsAromatic() else '-'}R{rings.MinAtomRingSize(atom.GetIdx())}"
        for atom in molecule.GetAtoms()
    ]


def pack_chunk(texts: list[str]) -> tuple[PackedGraphs, list[str], list[str]]:
    """Featurise a chunk; returns graphs, the tokens of all their atoms, and the canonical SMILES of each graph."""
    graphs, tokens, canonical = [], [], []
    for text in texts:
        try:
            molecule = parse_smiles(text)
            graphs.append(molecule_to_graph(molecule))
        except FeaturizeError:
            continue
        tokens += atom_tokens(molecule)
        canonical.append(Chem.MolToSmiles(molecule))
    return PackedGraphs.from_graphs(graphs), tokens, canonical


def moses_smiles(wheel: Path) -> Iterator[str]:
    """Yield the SMILES of MOSES' training and test files (ZINC clean leads) from the package's wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for member in MEMBERS:
            with archive.open(member) as raw, gzip.open(raw, "rt", newline="") as file:
                yield from (row["SMILES"] for row in csv.DictReader(file))


def download_moses(folder: Path) -> Path:
    """Fetch the wheel of MOSES with the package installer and check its sha256."""
    name, version, expected = MOSES
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "-q",
        "-d",
        str(folder),
        f"{name}=={version}",
    ]
    subprocess.run(command, check=True)
    wheel = next(folder.glob(f"{name}-{version}-*.whl"))
    if (found := sha256(wheel.read_bytes()).hexdigest()) != expected:
        raise SystemExit(f"{wheel.name} has sha256 {found}, expected {expected}: not the released package")
    return wheel


def build_corpus(wheel: Path, excluded: set[str], limit: int | None) -> Corpus:
    """Featurise the molecules on all cores; leave out those in `excluded`."""
    texts = list(moses_smiles(wheel))[:limit]
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    parts: list[PackedGraphs] = []
    ids: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
    codes: dict[str, int] = {}
    skipped = 0
    with ProcessPoolExecutor() as pool:
        for graphs, tokens, canonical in tqdm(
            pool.map(pack_chunk, chunks), total=len(chunks), desc="pack", disable=None
        ):
            coded = np.array([codes.setdefault(token, len(codes)) for token in tokens], dtype=np.int32)
            keep = np.array([smiles not in excluded for smiles in canonical])
            skipped += int((~keep).sum())
            nodes = np.repeat(keep, graphs.sizes)
            ids.append(coded[nodes])
            parts.append(select(graphs, torch.from_numpy(np.flatnonzero(keep))))
    flat = np.concatenate(ids)
    order = sorted(codes.values(), key=Counter(flat.tolist()).__getitem__, reverse=True)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    names = {code: token for token, code in codes.items()}
    graphs = concatenate(parts)
    counts = {"read": len(texts), "in a benchmark, left out": skipped, "kept": len(graphs)}
    return Corpus(graphs, torch.from_numpy(rank[flat]).to(torch.int16), [names[code] for code in order], counts)


def select(graphs: PackedGraphs, index: Tensor) -> PackedGraphs:
    """Return a pack of the graphs `index` only."""
    batch = graphs.batch(index)
    local = batch.edge_index[0] - torch.repeat_interleave(
        batch.node_ptr[:-1], batch.edge_ptr[batch.node_ptr].diff(), output_size=len(batch.edge_attr)
    )
    return PackedGraphs(
        batch.x.to(torch.uint8),
        local.to(torch.int32),
        batch.edge_attr.to(torch.uint8),
        batch.edge_ptr.diff().to(torch.int32),
        batch.node_ptr,
        batch.edge_ptr[batch.node_ptr],
    )


def concatenate(parts: list[PackedGraphs]) -> PackedGraphs:
    """Join packs, in order."""

    def offsets(name: str) -> Tensor:
        lengths = torch.cat([getattr(part, name).diff() for part in parts])
        return F.pad(lengths.cumsum(0), (1, 0))

    names = ("x", "source", "edge_attr", "degree")
    flat = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    return PackedGraphs(**flat, node_ptr=offsets("node_ptr"), edge_ptr=offsets("edge_ptr"))


def load_corpus(args: argparse.Namespace) -> Corpus:
    """Read the packed corpus from `out`, or build it there once."""
    tensors_path, info_path = args.out / "corpus.safetensors", args.out / "corpus.json"
    names = [field.name for field in fields(PackedGraphs)]
    if not info_path.exists():
        folders = [ASSETS / "data", *args.benchmarks]
        with tempfile.TemporaryDirectory() as folder:
            wheel = args.wheel or download_moses(Path(folder))
            corpus = build_corpus(wheel, benchmark_smiles(folders), args.limit)
        save_file({"tokens": corpus.tokens, **{name: getattr(corpus.graphs, name) for name in names}}, tensors_path)
        info_path.write_text(json.dumps({"vocabulary": corpus.vocabulary, "counts": corpus.counts}, indent=1))
    info, tensors = json.loads(info_path.read_text()), load_file(tensors_path)
    return Corpus(PackedGraphs(*(tensors[name] for name in names)), tensors["tokens"], **info)


# --- model ------------------------------------------------------------------------------------------------------------


class MaskedModel(nn.Module):
    """The encoder with one linear classifier for masked atoms and one for masked bonds."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.encoder = GIN(dropout=0.0)
        self.atom = nn.Linear(self.encoder.dim, vocabulary)
        self.bond = nn.Linear(self.encoder.dim, 4)

    def forward(self, corpus: Corpus, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss and the shares of masked atoms and bonds predicted right."""
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
        loss = F.cross_entropy(atoms.float(), wanted) + F.cross_entropy(bonds.float(), bond_wanted)
        return (
            loss,
            (atoms.argmax(1) == wanted).float().mean(),
            (bonds.argmax(1) == bond_wanted).float().mean(),
        )


def learning_rate(step: int, args: argparse.Namespace) -> float:
    """Linear warm-up over 500 steps, then a cosine to zero."""
    progress = step / args.steps
    return float(args.lr * min(1.0, (step + 1) / 500) * 0.5 * (1 + np.cos(np.pi * progress)))


def generator(*key: int) -> torch.Generator:
    """Return a generator seeded by a tuple of integers."""
    digest = sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def batches(args: argparse.Namespace, size: int, start: int) -> Iterator[Tensor]:
    """Yield index batches from step `start` on: a new permutation each epoch, the held-out molecules left out."""
    per_epoch = (size - HELD_OUT) // args.batch_size
    for step in range(start, args.steps):
        epoch, position = divmod(step, per_epoch)
        if position == 0 or step == start:
            order = torch.randperm(size - HELD_OUT, generator=generator(args.seed, 1, epoch)) + HELD_OUT
        yield order[position * args.batch_size : (position + 1) * args.batch_size]


def train(args: argparse.Namespace, corpus: Corpus) -> MaskedModel:
    """Train to `steps`, from the last saved state if there is one."""
    torch.manual_seed(args.seed)
    model = MaskedModel(len(corpus.vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
    state_path, step, started = args.out / "state.pt", 0, time.monotonic()
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    size = len(corpus.graphs)
    bar = tqdm(batches(args, size, step), initial=step, total=args.steps, desc="pretrain", disable=None)
    totals = torch.zeros(3)
    for index in bar:
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            loss, *accuracy = model(corpus, index, generator(args.seed, 2, step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        totals += torch.stack([loss.detach(), *accuracy])
        step += 1
        if step % args.every == 0 or step == args.steps:
            if not torch.isfinite(totals).all():
                raise SystemExit(f"the loss is not finite at step {step}: lower --lr")
            mean = (totals / ((step - 1) % args.every + 1)).tolist()
            totals.zero_()
            log(args, step=step, loss=mean[0], atoms=mean[1], bonds=mean[2], seconds=time.monotonic() - started,
                **held_out(args, model, corpus))  # fmt: skip
            save_state(state_path, model, optimizer, step)
    return model


def held_out(args: argparse.Namespace, model: MaskedModel, corpus: Corpus) -> dict[str, float]:
    """Score the held-out molecules with fixed masks, in eval mode."""
    model.eval()
    with torch.no_grad():
        parts = [torch.stack(model(corpus, index, generator(args.seed, 3, i)))
                 for i, index in enumerate(torch.arange(HELD_OUT).split(512))]  # fmt: skip
    loss, atoms, bonds = torch.stack(parts).mean(0).tolist()
    return {"held_out_loss": loss, "held_out_atoms": atoms, "held_out_bonds": bonds}


def log(args: argparse.Namespace, **values: float) -> None:
    """Append one JSON line to the log and print it."""
    line = json.dumps({key: round(value, 5) for key, value in values.items()})
    with (args.out / "log.jsonl").open("a") as file:
        file.write(line + "\n")
    tqdm.write(line)


def save_state(path: Path, model: MaskedModel, optimizer: torch.optim.Adam, step: int) -> None:
    """Write everything that resuming needs, atomically."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def recalibrate(encoder: GIN, corpus: Corpus, args: argparse.Namespace) -> None:
    """Replace the running statistics, gathered on masked molecules, by averages over unmasked ones."""
    for norm in encoder.modules():
        if not isinstance(norm, nn.BatchNorm1d):
            continue
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    encoder.train()
    order = torch.randperm(len(corpus.graphs) - HELD_OUT, generator=generator(args.seed, 4)) + HELD_OUT
    with torch.no_grad():
        for index in order[: RECALIBRATION * 256].split(256):
            encoder(corpus.graphs.batch(index))


def export(args: argparse.Namespace, model: MaskedModel, corpus: Corpus) -> None:
    """Write the encoder as safetensors with its provenance, in the file's metadata and beside it."""
    recalibrate(model.encoder, corpus, args)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    last = json.loads((args.out / "log.jsonl").read_text().splitlines()[-1])
    card = {
        "task": "masked atoms and bonds (self-supervised)",
        "data": f"MOSES (ZINC clean leads), package {MOSES[0]} {MOSES[1]}, MIT",
        "molecules": corpus.counts,
        "vocabulary": len(corpus.vocabulary),
        "steps": args.steps, "batch_size": args.batch_size, "lr": args.lr, "mask_rate": MASK_RATE, "seed": args.seed,
        "matrix_products": "bfloat16" if args.bf16 else "float32",
        "final": last,
        "commit": commit,
        "command": f"python scripts/pretrain.py --out {args.out} --steps {args.steps}"
        f" --batch-size {args.batch_size} --lr {args.lr} --seed {args.seed}" + " --bf16" * args.bf16
        + " --benchmarks FOLDER_OF_PUBLISHED_FILES" * bool(args.benchmarks),
    }  # fmt: skip
    weights = {key: value.contiguous() for key, value in model.encoder.state_dict().items()}
    save_file(weights, args.out / "encoder.safetensors", metadata={"provenance": json.dumps(card)})
    (args.out / "encoder.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for corpus, log, state and result")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--every", type=int, default=500, help="steps between log lines and saved states")
    parser.add_argument("--limit", type=int, default=None, help="read this many molecules only")
    parser.add_argument("--wheel", type=Path, default=None, help="the wheel of molsets, if already at hand")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[], help="folders with more files to leave out")
    return parser.parse_args()


def main() -> None:
    """Build the corpus, train, export."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    corpus = load_corpus(args)
    export(args, train(args, corpus), corpus)


if __name__ == "__main__":
    main()
