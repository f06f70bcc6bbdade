"""A file from an http(s) address, no more of it than a published file can have, and the names that one can have."""

import re
from pathlib import Path

import requests
from tqdm import tqdm

LARGEST = 2 << 30  # bytes: the largest published checkpoint has less than a tenth of that
PIECE = 1 << 16
HEADERS = {"Accept-Encoding": "identity"}  # the file as it lies there, and its true size

FILE_NAME = re.compile(r"[\w+][\w+.() -]{0,150}")
HASH = {"sha256": re.compile("[0-9a-fA-F]{64}"), "git_blob": re.compile("[0-9a-fA-F]{40}")}


class TooLargeError(ValueError):
    """More is announced, or comes, than a published file can have."""


def check_file(file: str, sha256: str | None, git_blob: str | None) -> None:
    """Raise ValueError unless a published file has the name of a file, no path, and possible checksums."""
    if not FILE_NAME.fullmatch(file):
        raise ValueError(
            f"file is {file!r}: it is the name of a file in the cache, without folders, of letters, digits and . _ - +"
            " ( ) and blanks"
        )
    for kind, value in (("sha256", sha256), ("git_blob", git_blob)):
        if isinstance(value, str) and not HASH[kind].fullmatch(value):
            raise ValueError(f"{kind} is {value!r}: it has {64 if kind == 'sha256' else 40} hex digits")


def download(address: str, path: Path, timeout: float) -> None:
    """Write what an address holds to a file; `timeout` is in seconds without an answer or the next bytes.

    Raises:
        requests.RequestException: it cannot be had.
        TooLargeError: it has more than `LARGEST` bytes.
    """
    with requests.get(address, stream=True, timeout=timeout, headers=HEADERS) as response:
        response.raise_for_status()
        announced = response.headers.get("content-length", "")
        total = int(announced) if announced.isdecimal() else None
        _checked(total or 0)
        received = 0
        with (
            path.open("wb") as file,
            tqdm(total=total, unit="B", unit_scale=True, disable=None, leave=False, dynamic_ncols=True) as bar,
        ):
            for piece in response.iter_content(PIECE):
                received = _checked(received + len(piece))
                file.write(piece)
                bar.update(len(piece))


def _checked(size: int) -> int:
    if size > LARGEST:
        raise TooLargeError(f"it has more than {LARGEST:,} bytes")
    return size
