"""`roftbench cache`: what is kept for speed alone, how large it is, and its removal. Results are never touched."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import Timeout

from roftbench.errors import UsageError
from roftbench.files import locked
from roftbench.paths import Paths, absolute
from roftbench.progress import shown

LOCKS = ".locks"
KINDS = {  # a folder of the cache: what is in it, what it costs to have it again, and the files that are ours
    "data": ("featurised data sets", "computed again when needed", ("*.safetensors",)),
    "downloads": ("published files", "downloaded again when needed", ("*",)),
}


@dataclass(frozen=True)
class Kind:
    """A kind of files in the cache: where, how many, how many bytes, and what their loss costs."""

    name: str
    what: str
    folder: str
    files: int
    bytes: int
    cost: str


def run(paths: Paths, action: str, *, dry_run: bool, as_json: bool) -> int:
    """Show the cache, or remove what is in it; returns 0.

    Raises:
        UsageError: a file cannot be removed.
    """
    cache = absolute(paths.cache)
    found = kinds(cache)
    clean = action == "clean"
    doomed = found if clean and not dry_run else []
    removed = [path for kind in doomed for path in _removed(_files(cache, kind.name))]
    if as_json:
        done = {"removed": len(removed), "dry_run": dry_run} if clean else {}
        print(json.dumps({"cache": str(cache), "kinds": [asdict(kind) for kind in found], **done}, indent=1))
        return 0
    print(f"cache  {shown(cache)}")
    for kind in found:
        print(f"  {kind.name:<11}{kind.files:>6} files {size(kind.bytes):>10}  {kind.what}; {kind.cost}")
    if clean:
        total = sum(kind.files for kind in found)
        print(f"would remove {total} files" if dry_run else f"removed {len(removed)} of {total} files")
    else:
        print("roftbench cache clean removes them (--dry-run: only says so). Results and kept models are elsewhere.")
    return 0


def kinds(cache: Path) -> list[Kind]:
    """Return what is in a cache, by kind."""
    found = []
    for name, (what, cost, _) in KINDS.items():
        files = _files(cache, name)
        total = sum(path.stat().st_size for path in files)
        found.append(Kind(name, what, str(cache / name), len(files), total, cost))
    return found


def _files(cache: Path, name: str) -> list[Path]:
    patterns = KINDS[name][2]
    found = {path for pattern in patterns for path in (cache / name).rglob(pattern)}
    return sorted(path for path in found if path.is_file() and LOCKS not in path.parts)


def _removed(files: Iterable[Path]) -> Iterable[Path]:
    """Remove files and yield them; those that another process is making at this moment stay."""
    for path in files:
        try:
            with locked(path).acquire(timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            continue
        except OSError as error:
            raise UsageError(f"{path} cannot be removed: {error.strerror or error}") from None
        yield path


def size(count: int) -> str:
    """Return a number of bytes in words."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
