"""Checksums of files (SHA-256 or git blob id), and short digests of plain values."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    """Return the git blob id of a content (`git hash-object FILE`) in hexadecimal."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def digest(value: Any) -> str:
    """Return 16 hex digits of the SHA-256 of a value's canonical JSON."""
    return digest_of_text(canonical(value))


def canonical(value: Any) -> str:
    """Return the canonical JSON of a plain value: sorted keys, no whitespace."""
    read_again = json.loads(json.dumps(value, allow_nan=False))
    return json.dumps(read_again, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of_text(text: str) -> str:
    """Return 16 hex digits of the SHA-256 of a text."""
    return sha256(text.encode())[:16]


@dataclass(frozen=True)
class Checksum:
    """Known hashes of a file in hexadecimal; without any, every content is accepted."""

    sha256: str | None = None
    git_blob: str | None = None

    def __bool__(self) -> bool:
        return self.sha256 is not None or self.git_blob is not None

    @property
    def kind(self) -> str:
        """Name of the hash that is shown: SHA-256 where it is known."""
        return "sha256" if self.sha256 is not None else "git blob id"

    def difference(self, content: bytes) -> tuple[str, str, str] | None:
        """Return kind, actual and expected hash of the first that differs; None where all agree."""
        for kind, expected, hashed in (("sha256", self.sha256, sha256), ("git blob id", self.git_blob, git_blob)):
            if expected is not None and (found := hashed(content)) != expected:
                return kind, found, expected
        return None
