"""Published files: bundled, cached, in a mirror folder or downloaded, and always verified."""

import gzip
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from roftbench.console import say
from roftbench.errors import UsageError, check_choice
from roftbench.store.checksums import Checksum
from roftbench.store.files import atomic, locked, write_text
from roftbench.store.gzipped import GZIP, GzipError, TooMuchError, unpacked
from roftbench.store.http import TooLargeError, check_file, download, may_pass
from roftbench.store.wheels import PackageError, is_package, read_package

logger = logging.getLogger(__name__)

PLACES = ("bundled", "cache", "mirror")
ASSETS = Path(__file__).parents[1] / "assets"
WAITS = (1.0, 3.0)  # seconds before a second and a third attempt to download


@dataclass(frozen=True)
class Places:
    """Local folders: `downloads` in the cache, and the user's `mirror`; `offline` forbids the network."""

    downloads: Path
    mirror: Path | None = None
    offline: bool = False


@dataclass(frozen=True)
class Source:
    """A published file and its locations.

    Attributes:
        what: description for messages; its last word is the name that `roftbench fetch` takes for the `group`.
        file: file name in cache and mirror, where the file may also be gzipped (`NAME.gz`) or plain.
        sha256: checksum of the unpacked content; it or `git_blob` is given.
        places: locations in the order of the search: "bundled", "cache", "mirror", an http(s) address, or
            "package:NAME==VERSION:MEMBER" for a file in a package.
        asset: path of a bundled copy below `assets/`, whose checksum is `asset_sha256`.
    """

    what: str
    file: str
    sha256: str | None
    places: tuple[str, ...]
    asset: str | None = None
    asset_sha256: str | None = None
    git_blob: str | None = None
    group: str = "dataset"

    def __post_init__(self) -> None:
        check_file(self.file, self.sha256, self.git_blob)

    @property
    def names(self) -> list[str]:
        """Possible file names in the cache: `hashed_name`, then `file`."""
        return [*either_way(self.hashed_name), *either_way(self.file)]

    @property
    def hashed_name(self) -> str:
        """File name in the cache, beginning with the checksum, where another file has the name `file`."""
        return f"{_digest(self)[:16].lower()}-{self.file}"

    def checksum(self, place: str) -> Checksum:
        """Return the expected checksum of the file at a location."""
        return Checksum(self.asset_sha256) if place == "bundled" else Checksum(self.sha256, self.git_blob)


@dataclass(frozen=True)
class Found:
    """Verified unpacked content of a file, and its location."""

    content: bytes
    place: str


class _NotHereError(Exception):
    """A location lacks the published file or has another one; the message is the reason."""


def check_places(places: Sequence[str]) -> None:
    """Raise ValueError unless each is a location as in `Source.places`, without references."""
    for place in places:
        if "${" in place:
            raise ValueError(f"sources: {place} holds a reference (${{…}}): write the address out")
        if not place.startswith(("http://", "https://")) and not is_package(place):
            check_choice("sources", place, (*PLACES, "https://…", "package:NAME==VERSION:MEMBER"))


def present(source: Source, places: Places) -> str | None:
    """Return the first local location that has the file, without reading it, or None."""
    for place in source.places:
        if place in PLACES:
            with suppress(_NotHereError, OSError):
                _files(source, place, places)
                return place
    return None


def read(source: Source, places: Places) -> Found:
    """Return the file's content from the first location that has it; a download is stored in the cache.

    Raises:
        UsageError: no location has it (the message gives the reason for each, and a remedy), or the cache cannot be
            written.
    """
    reasons = []
    for index, place in enumerate(source.places):
        try:
            if place in PLACES:
                return Found(_read_file(source, place, places), place)
            return _fetch_address(source, place, places, look_first="cache" in source.places[:index])
        except _NotHereError as error:
            reasons.append(f"\n  {place}: {error}")
    kind = source.checksum("mirror").kind
    raise UsageError(
        f"{source.what} was not found:{''.join(reasons)}\n"
        f"Run `roftbench fetch {source.group}={source.what.split()[-1]}` on a machine with network and copy its cache "
        f"to {places.downloads}, or put the file {source.file} ({kind} of its unpacked content: {_digest(source)}) "
        "into a mirror folder (ROFTBENCH_MIRROR or paths.mirror).",
        key=source.what,
    )


def fetch(source: Source, places: Places) -> str:
    """Copy the file into the cache unless it is bundled or there; returns the location that it came from.

    Raises:
        UsageError: as `read` does.
    """
    found = read(source, places)
    if found.place == "mirror":
        packed = gzip.compress(found.content, mtime=0) if source.file.endswith(".gz") else found.content
        path = places.downloads / source.file
        with _writing(path):
            path = _free_name(source, path)
            with atomic(path) as temporary:
                temporary.write_bytes(packed)
            write_text(_note(path), _digest(source))
    return found.place


def fetch_missing(wanted: Iterable[tuple[Source, Places]]) -> None:
    """Fetch each file that is not on this machine.

    Raises:
        UsageError: a file is not available.
    """
    for source, places in dict.fromkeys(wanted):
        if present(source, places) is None:
            fetch(source, places)


def either_way(name: str) -> list[str]:
    """Return the possible names of a file, gzipped or plain."""
    return list(dict.fromkeys([name, f"{name}.gz", name.removesuffix(".gz")]))


def _files(source: Source, place: str, places: Places) -> list[Path]:
    """Return candidates for the file at a local location: at least one, or raises _NotHereError."""
    folder = {"bundled": ASSETS, "cache": places.downloads, "mirror": places.mirror}[place]
    name = source.asset if place == "bundled" and source.asset else source.file
    if folder is None:
        raise _NotHereError("not set (ROFTBENCH_MIRROR or paths.mirror)")
    if place == "mirror" and not folder.is_dir():
        raise _NotHereError(f"{folder} is not a folder")
    names = source.names if place == "cache" else either_way(name)
    if not (files := [folder / one for one in names if (folder / one).is_file()]):
        raise _NotHereError(f"{folder} has no {name}" if place == "mirror" else f"not there ({folder})")
    return files


def _read_file(source: Source, place: str, places: Places, *, level: int = logging.WARNING) -> bytes:
    """Return the content from a local location; a wrong file is reported and left alone: it may be the user's."""
    expected = source.checksum(place)
    reasons = []
    try:
        for file in _files(source, place, places):
            packed = file.read_bytes()
            try:
                return _unpack(packed, expected)
            except _NotHereError as error:
                reasons.append(f"{file} is damaged or another file: {error}")
                logger.log(level, "%s", reasons[-1])
    except OSError as error:
        reasons.append(str(error))
    raise _NotHereError("; ".join(reasons))


def _unpack(packed: bytes, expected: Checksum) -> bytes:
    """Return the content, unpacked if gzipped; raises _NotHereError unless its checksum is the expected one."""
    try:
        content = unpacked(packed) if packed.startswith(GZIP) else packed
    except TooMuchError as error:
        raise _NotHereError(str(error)) from None
    except GzipError as error:
        raise _NotHereError(f"damaged gzip file ({error})") from None
    if not expected:
        raise _NotHereError("no checksum of it is known")
    if (difference := expected.difference(content)) is not None:
        kind, found, wanted = difference
        raise _NotHereError(f"its {kind} is {found}, not {wanted}")
    return content


def _fetch_address(source: Source, address: str, places: Places, *, look_first: bool) -> Found:
    """Download the file into the cache; with `look_first`, unless another process did so during the wait."""
    if places.offline:
        raise _NotHereError("not tried: ROFTBENCH_OFFLINE=1 or paths.offline=true")
    path = places.downloads / source.file
    with _writing(path):
        if look_first:
            with suppress(_NotHereError):
                return Found(_read_file(source, "cache", places, level=logging.DEBUG), "cache")
        path = _free_name(source, path)
        content = _download(source, address, path)
        write_text(_note(path), _digest(source))
    return Found(content, address)


def _free_name(source: Source, path: Path) -> Path:
    """Return the path to write a file to: its own name, unless a file that roftbench did not write has it."""
    with suppress(OSError, UnicodeError):
        if _note(path).read_text(encoding="utf-8") == _digest(source):
            return path  # written by roftbench for the same content, and damaged since
    return path.with_name(source.hashed_name) if path.exists() else path


def _note(path: Path) -> Path:
    """Return the file that holds the digest for which roftbench wrote a file of the cache."""
    return path.parent / ".locks" / f"{path.name}.digest"


def _digest(source: Source) -> str:
    return str(source.sha256 or source.git_blob)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Hold the lock of a file in the cache; raises UsageError where that file cannot be written."""
    try:
        with locked(path):
            yield
    except BrokenPipeError:  # from standard output, not from this file
        raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}). Fix that, or choose another folder with "
            "ROFTBENCH_CACHE or paths.cache.",
            key=str(path),
        ) from error


def _download(source: Source, address: str, path: Path) -> bytes:
    """Download to `path` and return the unpacked content; `path` appears only once the content is verified."""
    say(f"downloading {source.what} from {address}")
    waits, expected = iter(WAITS), source.checksum(address)
    while True:
        try:
            with atomic(path) as temporary:
                if is_package(address):
                    temporary.write_bytes(read_package(address))
                else:
                    download(address, temporary)
                packed = temporary.read_bytes()
                content = _unpack(packed, expected)
        except (requests.RequestException, PackageError, TooLargeError, _NotHereError) as error:
            again = not is_package(address) and may_pass(error)  # pip retries itself
            wait = next(waits, None) if again else None
            if wait is None:
                raise _NotHereError(_reason(error)) from error
            logger.warning("%s: %s; trying again in %g s", address, _reason(error), wait)
        else:
            say(f"  {len(packed):,} bytes, {expected.kind} verified")
            return content
        time.sleep(wait)


def _reason(error: BaseException) -> str:
    if (response := getattr(error, "response", None)) is not None:
        return f"{response.status_code} {response.reason}"
    while not isinstance(error, (_NotHereError, PackageError, TooLargeError)) and error.__context__ is not None:
        error = error.__context__  # the cause, such as "Connection refused", is wrapped three times
    return str(error) or type(error).__name__
