"""Bounded decompression of gzip files, and of zip archives: a few megabytes may expand to gigabytes."""

import gzip
import io
import zipfile
import zlib

RATIO = 100  # largest plausible compression ratio: tables reach 5 to 30, gzip allows 1,032
ALWAYS = 64 << 20  # bytes that are unpacked at any ratio
PIECE = 1 << 20
GZIP = b"\x1f\x8b"
BAD_ZIP = (  # errors of a damaged zip archive
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError
)  # fmt: skip


class GzipError(ValueError):
    """A gzip file that is damaged."""


class TooMuchError(GzipError):
    """A packed file with an implausible compression ratio."""


def unpacked(packed: bytes) -> bytes:
    """Return the content of a gzip file.

    Raises:
        GzipError: it is damaged.
        TooMuchError: its content is larger than `RATIO` times the file and than `ALWAYS` bytes.
    """
    pieces, size = list[bytes](), 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            while piece := file.read(PIECE):
                pieces.append(piece)
                size += len(piece)
                check_plausible(size, len(packed))
    except (OSError, EOFError, zlib.error) as error:
        raise GzipError(str(error)) from None
    return b"".join(pieces)


def check_plausible(size: int, packed: int, remedy: str = "unpack it yourself") -> None:
    """Raise TooMuchError where `packed` bytes unpack to `size` bytes or more, and that is too many to be plausible.

    The message ends with what to do instead, for a file that is trusted.
    """
    limit = max(ALWAYS, RATIO * packed)
    if size > limit:
        raise TooMuchError(
            f"its {packed:,} bytes unpack to more than {limit:,}, which is not plausible: {remedy} if you trust it"
        )
