"""The molecules that `pretrain.py` learns from: read, cleared of benchmark molecules, featurised, packed."""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from rdkit import Chem
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from roftbench.data.featurize import FeaturizeError, molecule_to_graph, parse_smiles
from roftbench.data.packed import PackedGraphs
from roftbench.files import write_text

MOSES = ("molsets", "0.3.1", "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34")
MEMBERS = ("moses/dataset/data/train.csv.gz", "moses/dataset/data/test.csv.gz")
ASSETS = Path(__file__).resolve().parents[1] / "src/roftbench/assets"
NUM_ENVIRONMENTS, NUM_COUNTED = 1000, 48
CHUNK = 4096  # molecules a worker featurises at a time


@dataclass(frozen=True)
class Corpus:
    """Packed molecules; for each atom the index of its token in the vocabulary, and of its environment.

    Both count from the most frequent; environments rarer than the NUM_ENVIRONMENTS most frequent ones are -1.
    composition [G, 1 + NUM_COUNTED]: log of a molecule's number of atoms, and of 1 + how many of each frequent token.
    """

    graphs: PackedGraphs
    tokens: Tensor
    environments: Tensor
    composition: Tensor
    vocabulary: list[str]
    counts: dict[str, int]


def benchmark_smiles(folders: list[Path]) -> set[str]:
    """Return canonical SMILES, with and without stereochemistry, of every molecule in the CSV files of the folders."""
    texts: list[str] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.csv*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", newline="") as file:
            rows = csv.DictReader(file)
            column = next(name for name in ("smiles", "mol") if name in (rows.fieldnames or []))
            texts += [row[column] for row in rows if row[column]]
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    with ProcessPoolExecutor() as pool:
        parts = tqdm(pool.map(canonical_forms, chunks), total=len(chunks), desc="benchmark molecules", disable=None)
        return set().union(*parts)


def canonical_forms(texts: list[str]) -> set[str]:
    """Return canonical SMILES, with and without stereochemistry, of those that can be parsed."""
    found: set[str] = set()
    for text in texts:
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


def fragments(molecule: Chem.Mol, random: Random) -> list[str]:
    """Cut one acyclic single bond at random; returns the SMILES of both parts, capped with hydrogens.

    Drug-like molecules alone would teach nothing about small ones.
    """
    cuts = [bond.GetIdx() for bond in molecule.GetBonds() if not bond.IsInRing() and bond.GetBondTypeAsDouble() == 1]
    if not cuts:
        return []
    parts = Chem.FragmentOnBonds(molecule, [random.choice(cuts)], addDummies=False)
    return str(Chem.MolToSmiles(parts)).split(".")


def pack_chunk(texts: list[str]) -> tuple[PackedGraphs, list[str], list[str]]:
    """Featurise a chunk and its fragments; returns graphs, the tokens of their atoms, and their canonical SMILES."""
    graphs, tokens, canonical = [], [], []
    random = Random(texts[0])
    queue = [(text, True) for text in texts]
    seen: set[str] = set()
    for text, whole in queue:  # grows: fragments of whole molecules are appended
        try:
            molecule = parse_smiles(text)
            graph = molecule_to_graph(molecule)
        except FeaturizeError:
            continue
        if whole:
            queue += [(part, False) for part in fragments(molecule, random)]
        smiles = Chem.MolToSmiles(molecule)
        if smiles not in seen:
            seen.add(smiles)
            graphs.append(graph)
            tokens += atom_tokens(molecule)
            canonical.append(smiles)
    return PackedGraphs.from_graphs(graphs), tokens, canonical


def moses_smiles(wheel: Path) -> list[str]:
    """Return the SMILES of MOSES' training and test files (ZINC clean leads) from the package's wheel, checked."""
    name, _, expected = MOSES
    if (found := sha256(wheel.read_bytes()).hexdigest()) != expected:
        raise SystemExit(f"{wheel.name} has sha256 {found}, expected {expected}: not the released package {name}")
    smiles: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for member in MEMBERS:
            with archive.open(member) as raw, gzip.open(raw, "rt", newline="") as file:
                smiles += (row["SMILES"] for row in csv.DictReader(file))
    return smiles


def download_moses(folder: Path) -> Path:
    """Fetch the wheel of MOSES with the package installer."""
    name, version, _ = MOSES
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    subprocess.run([*pip, "--dest", str(folder), f"{name}=={version}"], check=True)
    return next(folder.glob(f"{name}-{version}-*.whl"))


def build_corpus(texts: list[str], excluded: set[str]) -> Corpus:
    """Featurise the molecules and fragments of them on all cores, each once; leave out those in `excluded`."""
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    parts: list[PackedGraphs] = []
    ids: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
    codes: dict[str, int] = {}
    skipped = 0
    seen: set[str] = set()
    with ProcessPoolExecutor() as pool:
        packed = pool.map(pack_chunk, chunks)
        for graphs, tokens, canonical in tqdm(packed, total=len(chunks), desc="pack", disable=None):
            coded = np.array([codes.setdefault(token, len(codes)) for token in tokens], dtype=np.int32)
            known = np.array([smiles in excluded for smiles in canonical])
            skipped += int(known.sum())
            keep = ~known & np.array([smiles not in seen for smiles in canonical])
            seen.update(canonical)
            nodes = np.repeat(keep, graphs.sizes)
            ids.append(coded[nodes])
            parts.append(select(graphs, torch.from_numpy(np.flatnonzero(keep))))
    flat = np.concatenate(ids)
    order = sorted(codes.values(), key=Counter(flat.tolist()).__getitem__, reverse=True)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    names = {code: token for token, code in codes.items()}
    graphs = concatenate(parts)
    counts = {"read": len(texts), "in a benchmark, left out": skipped, "kept, with fragments": len(graphs)}
    coded_tokens = torch.from_numpy(rank[flat]).to(torch.int16)
    vocabulary = [names[code] for code in order]
    around, totals = environments(graphs, coded_tokens), composition(graphs, coded_tokens)
    return Corpus(graphs, coded_tokens, around, totals, vocabulary, counts)


def composition(graphs: PackedGraphs, tokens: Tensor) -> Tensor:
    """Return log size and log counts of the most frequent tokens of each molecule, [G, 1 + NUM_COUNTED]."""
    sizes = torch.from_numpy(graphs.sizes)
    molecule = torch.repeat_interleave(torch.arange(len(graphs)), sizes)
    counted = tokens < NUM_COUNTED
    flat = molecule[counted] * NUM_COUNTED + tokens[counted]
    counts = torch.bincount(flat, minlength=len(graphs) * NUM_COUNTED).view(-1, NUM_COUNTED)
    return torch.cat([sizes[:, None].float().log(), counts.float().log1p()], dim=1)


def environments(graphs: PackedGraphs, tokens: Tensor) -> Tensor:
    """Return the index of each atom's environment: its token with its bonds and neighbouring elements, [ΣN].

    Equal environments get equal sums of random 64-bit numbers (one step of Weisfeiler and Lehman's refinement).
    """
    random = np.random.default_rng(0)
    own = random.integers(2**63, size=int(tokens.max()) + 1)
    neighbour = random.integers(2**63, size=(4, 120))
    first = np.repeat(graphs.node_ptr[:-1].numpy(), graphs.edge_ptr.diff().numpy())
    source = first + graphs.source.numpy()
    terms = neighbour[graphs.edge_attr[:, 0].numpy(), graphs.x[:, 0].numpy()[source]]
    # Sums that wrap around stay exact, so differences of a running total give the sum over each atom's bonds.
    total = np.concatenate([[0], np.cumsum(terms)])
    end = np.cumsum(graphs.degree.numpy())
    hashes = own[tokens.numpy()] + total[end] - total[end - graphs.degree.numpy()]
    _, index, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return torch.from_numpy(np.where(rank[index] < NUM_ENVIRONMENTS, rank[index], -1)).to(torch.int16)


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


def read_smiles(args: argparse.Namespace) -> list[str]:
    """Return the SMILES of the file that was named, or of MOSES."""
    if args.smiles is not None:
        return [line.split()[0] for line in args.smiles.read_text().splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        return moses_smiles(args.wheel or download_moses(Path(folder)))


def load_corpus(args: argparse.Namespace) -> Corpus:
    """Read the packed corpus from `out`, or build it there once."""
    tensors_path, info_path = args.out / "corpus.safetensors", args.out / "corpus.json"
    names, targets = [field.name for field in fields(PackedGraphs)], ("tokens", "environments", "composition")
    if not info_path.exists():
        folders = [ASSETS / "data", *args.benchmarks]
        corpus = build_corpus(read_smiles(args)[: args.limit], benchmark_smiles(folders))
        extra = {name: getattr(corpus, name) for name in targets}
        save_file({**extra, **{name: getattr(corpus.graphs, name) for name in names}}, tensors_path)
        write_text(info_path, json.dumps({"vocabulary": corpus.vocabulary, "counts": corpus.counts}, indent=1))
    info, tensors = json.loads(info_path.read_text()), load_file(tensors_path)
    return Corpus(PackedGraphs(*(tensors[name] for name in names)), *(tensors[name] for name in targets), **info)
