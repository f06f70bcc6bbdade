"""Pack the committed results into one archive that can be cited: scores, tables, predictions, and their checksums.

    python -m scripts.results_archive --out roftbench-results.tar.gz [--records NAME=DIR ...]

The archive holds all of results/ that is committed as files or folders with scores, CITATION.cff, LICENSE, and
SHA256SUMS, which `sha256sum --check` reads. With `--records NAME=DIR` the predictions of results/NAME are added as
predictions.parquet, from the records in the results folder DIR of `roftbench`; every finished job of NAME has to be
there with the same scores. Equal files give an archive equal in every bit.
"""

import argparse
import gzip
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from roftbench import __version__
from roftbench.config.paths import paths_of
from roftbench.errors import UsageError
from roftbench.report.predictions.origin import Origins
from roftbench.report.predictions.parquet import write_predictions
from roftbench.report.records import read_records
from roftbench.report.scores import read_scores
from roftbench.store.checksums import sha256
from roftbench.store.files import check_output, write_output
from roftbench.store.record_schema import RecordSummary
from roftbench.store.results import Store

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ("CITATION.cff", "LICENSE")
SUMS = "SHA256SUMS"


def main(words: Sequence[str] | None = None) -> int:
    """Write the archive; returns 2 with one line where something is missing or differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the archive, .tar.gz")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="default: results/ of the checkout")
    parser.add_argument("--records", action="append", default=[], metavar="NAME=DIR", help="records of a folder")
    given = parser.parse_args(words)
    try:
        check_output(given.out)
        files = dict(contents(given.results))
        for text in given.records:
            name, _, folder = text.partition("=")
            files[f"results/{name}/predictions.parquet"] = predictions(given.results / name, Path(folder))
        write_output(given.out, packed(files, f"roftbench-results-{__version__}"))
    except UsageError as error:
        print(f"results_archive: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {len(files)} files and {SUMS}, {given.out.stat().st_size / 1e6:.1f} MB")
    return 0


def contents(results: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the archive by their names in it, without the folders of local runs.

    Raises:
        UsageError: no folder holds scores.
    """
    folders = sorted({path.parent for path in results.glob("*/scores.csv*")} - {results / "tables"})
    if not folders:
        raise UsageError(f"no folder of {results} holds scores.csv", key="--results", got=str(results))
    for name in BESIDE:
        yield name, (ROOT / name).read_bytes()
    paths = [*sorted(results.glob("*.md")), *(path for folder in folders for path in sorted(folder.iterdir()))]
    for path in paths:
        yield f"results/{path.relative_to(results).as_posix()}", path.read_bytes()


def predictions(folder: Path, records: Path) -> bytes:
    """Return predictions.parquet for the scores of a folder, from the records in a results folder of `roftbench`.

    Raises:
        UsageError: a finished job has no record, one with other scores, or none of its data can be found again.
    """
    scores = list(folder.glob("scores.csv*"))
    if not scores or not records.is_dir():
        missing = records if scores else folder
        raise UsageError(f"--records {folder.name}={records}: {missing} does not exist", key="--records")
    committed, own = read_scores(*scores)[0], {one.key: one for one in read_records(Store(records))[0]}
    without = [one.key for one in committed if one.key not in own or _scored(own[one.key]) != _scored(one)]
    if without:
        problem = (
            f"{len(without)} of {len(committed)} jobs of {folder.name} have no record with equal scores in {records}"
        )
        raise UsageError(f"{problem}: {without[0]}", key="--records", got=str(records))
    with tempfile.TemporaryDirectory() as temporary:
        origins = Origins(paths_of([f"paths.results={records}"]))
        written = write_predictions([own[one.key] for one in committed], Store(records), origins, Path(temporary))
        if not written:
            raise UsageError(f"no data of the jobs of {folder.name} can be found again", key="--records")
        return written[0].read_bytes()


def _scored(record: RecordSummary) -> list[object]:
    return [(one.params, one.val, one.test) for one in record.candidates]


def packed(files: dict[str, bytes], name: str) -> bytes:
    """Return a gzipped archive of files in a folder `name`, with their checksums; equal files give equal bytes."""
    sums = "".join(f"{sha256(content)}  {path}\n" for path, content in sorted(files.items()))
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted({**files, SUMS: sums.encode()}.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(target.getvalue(), mtime=0)


if __name__ == "__main__":
    sys.exit(main())
