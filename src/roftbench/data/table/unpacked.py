"""The bytes of a file of text, unpacked and in UTF-8, a piece at a time."""

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roftbench.store.gzipped import GZIP, check_plausible

READ = 1 << 20  # bytes read at a time


def opened(path: Path) -> io.BufferedIOBase:
    """Open a file, unpacking it if it is gzipped."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")


def read_blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's unpacked content, piece by piece.

    Raises:
        TooMuchError: it is gzipped, and its content is more than is plausible.
    """
    size, stored = 0, path.stat().st_size
    with opened(path) as file:
        while block := file.read(READ):
            size += len(block)
            check_plausible(size, stored)
            yield block


class Utf8(io.RawIOBase):
    """The text of a file in UTF-8, without a byte order mark, after the first `skip` bytes; `tail` comes after it."""

    def __init__(self, path: Path, encoding: str, skip: int = 0, tail: bytes = b"") -> None:
        self._blocks, self._skip, self._held = self._decoded(path, encoding, tail), skip, memoryview(b"")

    def _decoded(self, path: Path, encoding: str, tail: bytes) -> Iterator[bytes]:
        decoder, ended = codecs.getincrementaldecoder(encoding)(), False
        for block in read_blocks(path):
            text = decoder.decode(block).encode()
            ended = text.endswith((b"\n", b"\r")) if text else ended
            yield text
        yield decoder.decode(b"", final=True).encode()
        if tail:
            yield tail if ended else b"\n" + tail

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; returns how many bytes, 0 at the end."""
        while not self._held:
            block = next(self._blocks, None)
            if block is None:
                return 0
            dropped = min(self._skip, len(block))
            self._skip -= dropped
            self._held = memoryview(block)[dropped:]
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count
