"""The molecules that are pretrained on, out of released packages, and those that must not be: the benchmarks'.

MOSES (ZINC clean leads, arXiv 1811.12823) has neither charges nor elements beyond C, N, O, S, F, Cl, Br. The ChEMBL
molecules of MoleculeACE (van Tilborg et al. 2022, J. Chem. Inf. Model. 62, 5938) add larger drug-like ones, some with
charges, stereochemistry, P or I; its activities are not read. The compounds of PubChem in the package chemicals are
small, with many elements, ions and salts.
"""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize
from tqdm import tqdm

import roftbench
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.smiles import FeaturizeError
from scripts.wheels import Wheel

ASSETS = Path(roftbench.__file__).parent / "assets"
CHUNK = 2048  # molecules a worker takes at a time


@dataclass(frozen=True)
class Released(Wheel):
    """A wheel, and which of its members are tables with a column of SMILES."""

    members: str
    column: str

    def smiles(self, folder: Path) -> list[str]:
        """Return the SMILES, from the wheel in the folder or, where it is not there, downloaded into it."""
        self.fetch(folder)
        with self.open(folder) as archive:
            members = sorted(name for name in archive.namelist() if fnmatch(name, self.members))
            return [row[self.column] for name in members for row in table(name, archive.read(name))]


MOSES = Released(
    "molsets", "0.3.1", "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
    "moses/dataset/data/t*[nt].csv.gz", "SMILES",
)  # fmt: skip
CHEMBL = Released(
    "MoleculeACE", "3.0.0", "c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc",
    "MoleculeACE/Data/benchmark_data/*.csv", "smiles",
)  # fmt: skip
PUBCHEM = Released(
    "chemicals", "1.5.2", "f85ef7f36e77fee634686c26562929ee61026cd548d89cebd57b2251ca843d6e",
    "chemicals/Identifiers/chemical identifiers pubchem *.tsv", "4",
)  # fmt: skip


def table(name: str, content: bytes) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, compressed if its name says so; columns of a .tsv have no names but numbers."""
    text = gzip.decompress(content) if name.endswith(".gz") else content
    if name.endswith(".tsv"):
        return ({str(i): cell for i, cell in enumerate(line.split("\t"))} for line in text.decode().splitlines())
    return csv.DictReader(io.StringIO(text.decode(), newline=""))


def tables(folders: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield name and SMILES of each CSV file of the folders."""
    for path in sorted(path for folder in folders for path in folder.glob("*.csv*")):
        rows = list(table(path.name, path.read_bytes()))
        column = next(name for name in ("smiles", "mol") if name in rows[0])
        yield path.name.partition(".")[0], [row[column] for row in rows if row[column]]


def benchmark_smiles(folders: Iterable[Path], others: Iterable[str] = ()) -> set[str]:
    """Return all forms of every molecule in the CSV files of the folders and of some others; see `forms`."""
    texts = [*others, *chain.from_iterable(molecules for _, molecules in tables(folders))]
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    with ProcessPoolExecutor() as pool:
        parts = tqdm(pool.map(all_forms, chunks), total=len(chunks), desc="benchmark molecules", disable=None)
        return set().union(*parts)


def all_forms(texts: Iterable[str]) -> set[str]:
    """Return the forms of those SMILES that can be parsed."""
    found: set[str] = set()
    for text in texts:
        try:
            found |= forms(parse_smiles(text))
        except FeaturizeError:
            continue
    return found


def forms(molecule: Chem.Mol) -> set[str]:
    """Return names of a molecule: what shares one with a benchmark molecule is kept out of the corpus.

    Canonical SMILES of the molecule and of its parts (of a salt, say), each with and without stereochemistry and, where
    it is charged, neutralised; and the first block of the InChIKey, which tautomers share. Parts of a single heavy atom
    (chloride, sodium, water) do not count, as nearly all salts share them.
    """
    parts = Chem.GetMolFrags(molecule, asMols=True)
    variants = [molecule, *(part for part in parts if len(parts) > 1 < part.GetNumHeavyAtoms())]
    with rdBase.BlockLogs():
        uncharger = rdMolStandardize.Uncharger()
        charged = [one for one in variants if any(atom.GetFormalCharge() for atom in one.GetAtoms())]
        variants += [uncharger.uncharge(one) for one in charged]
        block = str(Chem.MolToInchiKey(molecule))[:14]
        smiles = {Chem.MolToSmiles(one, isomericSmiles=isomeric) for one in variants for isomeric in (True, False)}
        return smiles | ({block} if block else set())
