"""Bounded downloads from http(s) addresses, and valid names and checksums of published files."""

import re
from pathlib import Path

import requests
from tqdm import tqdm

LARGEST = 2 << 30  # bytes, over ten times the largest published checkpoint
PIECE = 1 << 16
TIMEOUT = 30.0  # seconds without a response or further bytes
BUSY = (408, 429)  # HTTP status codes of temporary refusals: timeout, too many requests
HEADERS = {"Accept-Encoding": "identity"}  # the stored file without transfer compression, and its true size

FILE_NAME = re.compile(r"[\w+][\w+.() -]{0,150}")
HASH = {"sha256": re.compile("[0-9a-fA-F]{64}"), "git_blob": re.compile("[0-9a-fA-F]{40}")}


class TooLargeError(ValueError):
    """A file announces or has more than `LARGEST` bytes."""


def check_file(file: str, sha256: str | None, git_blob: str | None) -> None:
    """Raise ValueError unless name and checksums of a published file are well formed."""
    if not FILE_NAME.fullmatch(file):
        raise ValueError(
            f"file is {file!r}: it is the name of a file in the cache, without folders, of letters, digits and . _ - +"
            " ( ) and blanks"
        )
    for kind, value in (("sha256", sha256), ("git_blob", git_blob)):
        if isinstance(value, str) and not HASH[kind].fullmatch(value):
            raise ValueError(f"{kind} is {value!r}: it has {64 if kind == 'sha256' else 40} hex digits")


def download(address: str, path: Path) -> None:
    """Download an address to a file.

    Raises:
        requests.RequestException: the download fails.
        TooLargeError: the file has more than `LARGEST` bytes.
    """
    with requests.get(address, stream=True, timeout=TIMEOUT, headers=HEADERS) as response:
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


def may_pass(error: Exception) -> bool:
    """Return whether a later attempt may succeed, which most status codes 4xx and invalid addresses exclude."""
    if (response := getattr(error, "response", None)) is not None:
        return bool(response.status_code >= 500) or response.status_code in BUSY
    return not isinstance(error, ValueError)  # raised by requests for an invalid address


def _checked(size: int) -> int:
    if size > LARGEST:
        raise TooLargeError(f"it has more than {LARGEST:,} bytes")
    return size
