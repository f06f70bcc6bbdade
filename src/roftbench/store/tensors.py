"""Files of tensors with a JSON description and a checksum over both, built once and cached."""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from roftbench.store.files import atomic, locked
from roftbench.store.locks import Lock

logger = logging.getLogger(__name__)

Entry = tuple[dict[str, Tensor], dict[str, Any]]


class DamagedFileError(Exception):
    """A tensor file that cannot be read or whose checksum does not match."""


def load_or_build(path: Path, build: Callable[[], Entry]) -> Entry:
    """Return the tensors and the description stored at `path`, built and stored where they are missing.

    A damaged file is reported and rebuilt. Processes that need the same file wait for one another.
    """
    with suppress(DamagedFileError):  # without a lock: the folder may be read-only
        return read_tensors(path)
    lock = locked_if_possible(path)
    if lock is None:
        return build()
    with lock:
        if path.exists():
            try:
                return read_tensors(path)
            except DamagedFileError as error:
                logger.warning("%s is damaged (%s): building it again", path, error)
        entry = build()
        try:
            write_tensors(path, *entry)
        except OSError as error:
            _report_unwritable(path, error)
        return entry


def locked_if_possible(path: Path) -> Lock | None:
    """Return the lock of a file in the cache, not yet taken; None where the folder allows none, which is reported."""
    try:
        lock = locked(path)
        with suppress(Timeout):
            lock.acquire(timeout=0)
            lock.release()
    except OSError as error:
        _report_unwritable(path, error)
        return None
    return lock


def _report_unwritable(path: Path, error: OSError) -> None:
    """Report a cache that cannot be written; raises the error where its folder is a file: a wrong setting."""
    if isinstance(error, NotADirectoryError | FileExistsError):
        raise error
    logger.warning(
        "%s cannot be written (%s): continuing in memory, so that every run computes it again; set paths.cache to"
        " another folder",
        path.parent,
        error.strerror or error,
    )


def read_tensors(path: Path) -> Entry:
    """Return tensors and description of a file of `write_tensors`; raises DamagedFileError for any other content."""
    try:
        with _named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError) as error:
        raise DamagedFileError(str(error)) from None
    if metadata.get("digest") != _digest(tensors, metadata.get("description", "")):
        raise DamagedFileError("its checksum is wrong")
    return tensors, json.loads(metadata["description"])


def description_in(path: Path) -> dict[str, Any]:
    """Return the description alone, unverified but fast; empty where it cannot be read."""
    try:
        with _named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
            description: dict[str, Any] = json.loads((file.metadata() or {}).get("description", "{}"))
            return description
    except (SafetensorError, OSError, ValueError):
        return {}


def write_tensors(path: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write tensors and a JSON description atomically, with a checksum over both; raises OSError."""
    text = json.dumps(description, allow_nan=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(tensors, metadata={"description": text, "digest": _digest(tensors, text)})
    with atomic(path) as temporary:  # save_file hides a full disk and makes files that only their owner may read
        temporary.write_bytes(content)


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """Yield a path that is valid UTF-8, as safetensors requires: that of a copy where necessary."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="roftbench-") as folder:
            yield Path(shutil.copy2(path, Path(folder) / "tensors"))
    else:
        yield path


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()
