"""Reading encoder weights safely: bundled or a user's file, verified, strict, never executing code."""

import io
import pickle
import warnings
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from roftbench.errors import UsageError
from roftbench.models.encoder import State

BUNDLED = "bundled:"


def read_checkpoint(location: str) -> bytes:
    """Return the bytes of a checkpoint: `bundled:FILE` or a path; raises UsageError where it cannot be read."""
    if location.startswith(BUNDLED):
        name = location.removeprefix(BUNDLED)
        with as_file(files("roftbench").joinpath("assets", "checkpoints")) as folder:
            path = folder / name
            if not path.is_file():
                known = ", ".join(sorted(BUNDLED + file.name for file in folder.glob("*.safetensors")))
                raise UsageError(
                    f"model.checkpoint={location}: no such bundled checkpoint. Allowed: {known}, or a path."
                )
            return path.read_bytes()
    path = Path(location).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"model.checkpoint={location} cannot be read: {reason} (looked at {path.resolve()})") from None


def checkpoint_sha256(location: str, expected: str | None) -> str:
    """Return the checksum of a checkpoint; raises UsageError unless it is the expected one (None: any)."""
    found = sha256(read_checkpoint(location)).hexdigest()
    if expected not in (None, found):
        raise UsageError(
            f"model.checkpoint={location} has sha256 {found}, expected {expected}:"
            " the file is truncated or another one. Fetch it again, or set model.sha256 to that of the file you mean"
            " (null: any)."
        )
    return found


def load_checkpoint(encoder: nn.Module, location: str, expected_sha256: str | None) -> None:
    """Load encoder weights from safetensors or from a plain PyTorch state dict, strictly.

    Raises:
        UsageError: the file is missing, damaged, not the expected one, no plain state dict of tensors, or does not fit
            the encoder; the message then lists missing, unexpected and mis-shaped keys.
    """
    checkpoint_sha256(location, expected_sha256)
    state = _parse(read_checkpoint(location), location)
    wanted = encoder.state_dict()
    problems = [f"missing {key}" for key in wanted if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in wanted]
    problems += [
        f"{key} is {tuple(state[key].shape)}, the encoder wants {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" if len(problems) > 8 else "")
        raise UsageError(f"model.checkpoint={location} does not fit {type(encoder).__name__}: {shown}")
    encoder.load_state_dict(state)


def _parse(content: bytes, location: str) -> State:
    # A PyTorch file is a zip or the older bare pickle; a safetensors file has its header's length first, then "{".
    if (content[:2] == b"PK" or content[:1] == b"\x80") and content[8:9] != b"{":
        return _parse_torch(content, location)
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise UsageError(f"model.checkpoint={location} is damaged or no checkpoint: {error}") from None


def _parse_torch(content: bytes, location: str) -> State:
    try:
        with warnings.catch_warnings(action="ignore"):  # on what it finds odd in a file that it then refuses
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # its text advises weights_only=False, which runs the file's code
        raise UsageError(
            f"model.checkpoint={location} is damaged or holds more than plain tensors: PyTorch's safe loader refuses it"
            " (what can be loaded is the encoder's state_dict() alone)"
        ) from None
    except Exception as error:  # a damaged pickle raises almost anything: KeyError, AssertionError, struct.error, …
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"model.checkpoint={location} is damaged: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f"model.checkpoint={location} is not a plain state dict (names to tensors)")
    return dict(state)
