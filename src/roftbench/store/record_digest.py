"""The digest that a record carries of its own content: a damaged record is never taken for another one."""

import json
from hashlib import sha256
from typing import Any

import msgspec

from roftbench.formatting import in_utf8

UNVERIFIED = 1  # the schema of records that carry no digest
_HEAD, _TAIL, _HEX = b'{\n "digest": "', b'",', 64
_END = len(_HEAD) + _HEX + len(_TAIL)


def sealed(record: dict[str, Any]) -> str:
    """Return the text of a record with the SHA-256 of that text as its first value.

    A record of the old schema stays without one: what it held when it was written is not known.

    Raises:
        ValueError: it holds a number that JSON does not know.
    """
    text = _text(record)
    if record["schema"] == UNVERIFIED:
        return text
    return f"{_HEAD.decode()}{sha256(text.encode()).hexdigest()}{_TAIL.decode()}{text[1:]}"


def is_verified(content: bytes, schema: int) -> bool:
    """Return whether a record is the one that was written; False where that cannot be known: it is of the old schema.

    What counts are its values, in their order: other blanks between them, as another program may write, do not matter.

    Raises:
        ValueError: its content is another one.
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
    """Return the digest that a content in the very bytes of `sealed` must have, with what follows it."""
    found = sha256(b"{")
    found.update(memoryview(content)[_END:])
    return found.hexdigest().encode() + _TAIL


def _text(record: dict[str, Any]) -> str:
    text = json.dumps(record, indent=1, allow_nan=False)
    if "\\ud" in text:  # half of a character, as in a file name that is no UTF-8, would make it unreadable
        text = json.dumps(in_utf8(record), indent=1, allow_nan=False)
    return text + "\n"
