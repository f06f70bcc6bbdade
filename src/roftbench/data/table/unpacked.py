"""The content of a file of text, unpacked and in UTF-8, a block at a time."""

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roftbench.store.gzipped import GZIP, check_plausible

READ = 1 << 20  # bytes read at a time

Source = Path | bytes  # a file, gzipped or not; or its unpacked content


def opened(source: Source) -> io.BufferedIOBase:
    """Open a source, unpacking a gzipped file."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    with source.open("rb") as file:
        packed = file.read(2) == GZIP
    return gzip.open(source, "rb") if packed else source.open("rb")


def read_blocks(source: Source) -> Iterator[bytes]:
    """Yield the unpacked content of a source, block by block.

    Raises:
        TooMuchError: a gzipped file unpacks to more than is plausible.
    """
    size, stored = 0, source.stat().st_size if isinstance(source, Path) else len(source)
    with opened(source) as file:
        while block := file.read(READ):
            size += len(block)
            check_plausible(size, stored)
            yield block


def decoded_blocks(source: Source, encoding: str) -> Iterator[bytes]:
    """Yield the content of a source in UTF-8, block by block; raises UnicodeError where it is in another encoding."""
    if isinstance(source, bytes) and (encoding == "utf-8" or source.isascii()):
        yield source
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in read_blocks(source):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


class Utf8(io.RawIOBase):
    """The content of a source in UTF-8 after the first `skip` bytes; `tail` follows it as a line of its own."""

    def __init__(self, source: Source, encoding: str, skip: int = 0, tail: bytes = b"") -> None:
        self._blocks, self._skip, self._held = self._all(source, encoding, tail), skip, memoryview(b"")

    def _all(self, source: Source, encoding: str, tail: bytes) -> Iterator[bytes]:
        ended = False
        for block in decoded_blocks(source, encoding):
            ended = block.endswith((b"\n", b"\r")) if block else ended
            yield block
        if tail:
            yield tail if ended else b"\n" + tail

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next and return the number of bytes, 0 at the end."""
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

    def close(self) -> None:
        """Close the file, and let go of the source."""
        self._blocks, self._held = iter(()), memoryview(b"")
        super().close()
