from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import math
from pathlib import Path

import pytest
from lab import ROOT
from omegaconf import OmegaConf
from rdkit import Chem, rdBase

DATA = ROOT / "src" / "roftbench" / "assets" / "data"
ROWS = {
    "esol": 1128,
    "freesolv": 642,
    "lipo": 4200,
    "bbbp": 2039,
    "bace": 1513,
    "clintox": 1484,
    "hiv": 41127,
}
# name: published file, its SMILES column, and the rows RDKit cannot read that only the published file has
PUBLISHED = {
    "esol": ("delaney-processed.csv", "smiles", 0),
    "freesolv": ("SAMPL.csv", "smiles", 0),
    "lipo": ("Lipophilicity.csv", "smiles", 0),
    "bbbp": ("BBBP.csv", "smiles", 11),
    "bace": ("bace.csv.gz", "mol", 0),
    "clintox": ("clintox.csv.gz", "smiles", 0),
    "hiv": ("HIV.csv.gz", "smiles", 0),
}
KEYS = [
    "name",
    "title",
    "summary",
    "task",
    "targets",
    "metric",
    "units",
    "smiles_column",
    "duplicates",
    "rows",
    "num_tasks",
    "file",
]
KEYS += ["sha256", "sources", "asset_sha256", "reference", "license"]
MANIFEST = json.loads((DATA / "MANIFEST.json").read_text(encoding="utf-8"))
Row = tuple[str, list[float]]


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def table(path: Path, smiles: str, targets: list[str]) -> list[Row]:
    reader = csv.DictReader(io.StringIO(content(path).decode("utf-8"), newline=""))
    return [(row[smiles].strip(), [float(row[t]) for t in targets]) for row in reader if any(row.values())]


def canonical(smiles: str) -> str | None:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    return None if mol is None else Chem.MolToSmiles(mol)


def without_unreadable(rows: list[Row], other: list[Row]) -> list[Row]:
    """Drop what RDKit cannot read; text that both sides have needs no look, it goes or stays on both."""
    known = {smiles for smiles, _ in other}
    return [row for row in rows if row[0] in known or canonical(row[0]) is not None]


def test_manifest_lists_the_files_that_lie_there() -> None:
    assert list(MANIFEST) == list(ROWS)
    files = {entry["file"] for entry in MANIFEST.values()}
    assert {path.name for path in DATA.iterdir()} == files | {"MANIFEST.json", "LICENSES.md"}


@pytest.mark.parametrize("name", ROWS)
def test_file_is_what_the_manifest_says(name: str) -> None:
    entry = MANIFEST[name]
    packed = (DATA / entry["file"]).read_bytes()
    data = gzip.decompress(packed)
    assert packed[4:8] == bytes(4)  # no time stamp, so the bytes can be built again
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert data.endswith(b"\n")
    assert b"\r" not in data
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    assert header == entry["columns"]
    assert header[0] == PUBLISHED[name][1]
    assert len(rows) == entry["rows"] == ROWS[name]
    assert all(len(row) == len(header) and all(row) for row in rows)


@pytest.mark.parametrize("name", ROWS)
def test_conf_agrees_with_the_manifest(name: str) -> None:
    conf = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "dataset" / f"{name}.yaml"))
    assert isinstance(conf, dict)
    entry = MANIFEST[name]
    assert [key for key in conf if key not in ("absent_rows", "noise", "noise_source")] == KEYS
    assert ("noise" in conf) == ("noise_source" in conf) == (name in ("esol", "freesolv"))
    assert conf["name"] == name
    assert conf["sources"][0] == "bundled"
    assert entry["file"] == f"{name}.csv.gz"
    assert conf["asset_sha256"] == entry["sha256"]
    file, smiles, unreadable = PUBLISHED[name]
    assert conf["file"].removesuffix(".gz") == file.removesuffix(".gz")
    assert len(conf.get("absent_rows", [])) == unreadable
    assert conf["rows"] == entry["rows"] + unreadable
    assert [conf["smiles_column"], *conf["targets"]] == entry["columns"]
    assert conf["reference"] == entry["reference"]
    assert conf["license"].startswith(f"{entry['license']} ({entry['origin']['package']} ")
    classes = conf["task"] == "classification"
    assert (conf["metric"], conf["units"] is None) == (("roc_auc", True) if classes else ("rmse", False))
    labels = {y for _, ys in table(DATA / entry["file"], smiles, conf["targets"]) for y in ys}
    assert (labels == {0.0, 1.0}) == classes
    assert all(math.isfinite(y) for y in labels)


@pytest.mark.parametrize("name", ROWS)
def test_labels_and_order_equal_the_published_file(name: str, shared: Path) -> None:
    file, smiles, unreadable = PUBLISHED[name]
    _, *targets = MANIFEST[name]["columns"]
    ours = table(DATA / MANIFEST[name]["file"], smiles, targets)
    theirs = table(shared / "data" / file, smiles, targets)
    assert len(theirs) - len(ours) == unreadable
    kept = without_unreadable(ours, theirs)
    expected = without_unreadable(theirs, ours)
    assert len(kept) == len(expected)
    for (a, x), (b, y) in zip(kept, expected, strict=True):
        assert a == b or canonical(a) == canonical(b)
        assert all(abs(p - q) <= 1e-6 for p, q in zip(x, y, strict=True))
