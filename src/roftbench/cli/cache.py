"""`roftbench cache`: size and removal of files that only save time. Results are never touched."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import Timeout

from roftbench.config.dataset_specs import dataset_specs
from roftbench.config.model_cards import model_cards
from roftbench.config.paths import Paths, absolute
from roftbench.console import shown
from roftbench.errors import UsageError
from roftbench.formatting import byte_size, printable_name
from roftbench.models.config import PUBLISHED
from roftbench.store.files import locked
from roftbench.store.leftovers import final_name

KINDS = {  # folder of the cache: its content, and how that is restored
    "data": ("featurized data sets", "computed again when needed"),
    "downloads": ("published files", "downloaded again when needed"),
}
FEATURIZED = re.compile(r".+-[0-9a-f]{16}\.safetensors")


@dataclass(frozen=True)
class Kind:
    """A kind of files in the cache: folder, number, bytes, and how they are restored after removal."""

    name: str
    what: str
    folder: str
    files: int
    bytes: int
    cost: str


def run(paths: Paths, action: str, folder: Path | None = None, *, dry_run: bool, as_json: bool) -> int:
    """Show the cache, or remove its files; returns 0. `folder`: the user's configs, whose published files count, too.

    Raises:
        UsageError: a file cannot be removed.
    """
    cache = absolute(paths.cache)
    files = files_of(cache, folder)
    found = kinds(cache, files)
    clean = action == "clean"
    removed = [path for paths in files.values() for path in _removed(paths)] if clean and not dry_run else []
    if as_json:
        done = {"removed": len(removed), "dry_run": dry_run} if clean else {}
        print(json.dumps({"cache": str(cache), "kinds": [asdict(kind) for kind in found], **done}, indent=1))
        return 0
    print(f"cache  {printable_name(shown(cache))}")
    for kind in found:
        print(f"  {kind.name:<11}{kind.files:>6} files {byte_size(kind.bytes):>10}  {kind.what}; {kind.cost}")
    if clean:
        total = sum(kind.files for kind in found)
        print(f"would remove {total} files" if dry_run else f"removed {len(removed)} of {total} files")
    else:
        print(
            "roftbench cache clean removes them (--dry-run only counts them). Results and saved models are elsewhere."
        )
    return 0


def kinds(cache: Path, files: Mapping[str, Sequence[Path]]) -> list[Kind]:
    """Return the kinds of files in a cache with their numbers and sizes."""
    return [
        Kind(name, what, str(cache / name), len(paths), sum(path.stat().st_size for path in paths), cost)
        for (name, (what, cost)), paths in zip(KINDS.items(), files.values(), strict=True)
    ]


def files_of(cache: Path, folder: Path | None = None) -> dict[str, list[Path]]:
    """Return the files of each kind, recognized by name; other files in these folders are left alone."""
    cards = model_cards(folder).values()
    sources = [spec.source() for spec in dataset_specs(folder).values() if spec is not None]
    sources += [card.source() for card in cards if card.checkpoint == PUBLISHED]
    published = {name for one in sources for name in one.names}
    matches: dict[str, Callable[[str], object]] = {"data": FEATURIZED.fullmatch, "downloads": published.__contains__}
    return {
        name: sorted(path for path in _inside(cache / name) if path.is_file() and matches[name](final_name(path)))
        for name in KINDS
    }


def _inside(folder: Path) -> Iterable[Path]:
    return folder.iterdir() if folder.is_dir() else ()


def _removed(files: Iterable[Path]) -> Iterator[Path]:
    """Remove files and yield them, except for those that another process is writing."""
    for path in files:
        try:
            with locked(path.with_name(final_name(path))).acquire(timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            continue
        except OSError as error:
            raise UsageError(f"{path} cannot be removed: {error.strerror or error}", key=str(path)) from None
        yield path
