"""The digest of a record's content that is stored in the record, so that damage is detected."""

import json
from hashlib import sha256
from typing import Any

import msgspec

from roftbench.formatting import in_utf8

UNVERIFIED = 1  # the schema of records that carry no digest
_HEAD, _TAIL, _HEX = b'{\n "digest": "', b'",', 64
_END = len(_HEAD) + _HEX + len(_TAIL)


def sealed(record: dict[str, Any]) -> str:
    """Return the JSON text of a record, as plain values, with the SHA-256 of that text as its first value.

    A record of schema 1 stays without one: its content at the time of writing cannot be verified.

    Raises:
        ValueError: a number is infinite or NaN, which JSON cannot express.
    """
    text = _text(record)
    if record["schema"] == UNVERIFIED:
        return text
    return f"{_HEAD.decode()}{sha256(text.encode()).hexdigest()}{_TAIL.decode()}{text[1:]}"


def is_verified(content: bytes, schema: int) -> bool:
    """Return whether the digest in a record matches its content; False for a record of schema 1, which has none.

    The values and their order count; whitespace between them, which another program may write differently, does not.

    Raises:
        ValueError: the digest is missing or does not match.
    """
    if content.startswith(_HEAD) and content[len(_HEAD) : _END] == _as_written(content):
        return True
    record = msgspec.json.decode(content, type=dict[str, Any])
    if "digest" not in record:
        if schema == UNVERIFIED:
            return False
        raise ValueError("it is damaged: its digest is missing")
    record = json.loads(content)
    if record.pop("digest") != sha256(_text(record).encode()).hexdigest():
        raise ValueError("it is damaged: its digest does not match its content")
    return True


def _as_written(content: bytes) -> bytes:
    """Return the digest that a content with exactly the bytes of `sealed` must have, with the characters after it."""
    found = sha256(b"{")
    found.update(memoryview(content)[_END:])
    return found.hexdigest().encode() + _TAIL


def _text(record: dict[str, Any]) -> str:
    text = json.dumps(record, indent=1, allow_nan=False)
    if "\\ud" in text:  # a lone surrogate, as in a file name that is not UTF-8, would make it unreadable
        text = json.dumps(in_utf8(record), indent=1, allow_nan=False)
    return text + "\n"
