"""Loading of encoder weights from bundled, published or user files: verified, strict, and without executing code."""

import io
import pickle
import warnings
from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from roftbench.errors import UsageError, first_line
from roftbench.models.config import BUNDLED
from roftbench.models.encoder import Encoder, State
from roftbench.store.checksums import Checksum
from roftbench.store.downloads import Places, Source, read

SHOWN = 4  # problems of one kind in a message
PARALLEL = "module."  # prefix of nn.DataParallel
WRAPPERS = (
    "state_dict",
    "model_state",
    "model_state_dict",
    "model",
)  # keys under which training programs store weights


def read_checkpoint(location: str) -> bytes:
    """Return the content of a checkpoint, `bundled:FILE` or a path; raises UsageError if it cannot be read."""
    if location.startswith(BUNDLED):
        name = location.removeprefix(BUNDLED)
        with as_file(files("roftbench").joinpath("assets", "checkpoints")) as folder:
            path = folder / name
            if path.name != name or not path.is_file():  # a path could lead out of the folder
                raise UsageError(
                    f"model.checkpoint={location}: no such bundled checkpoint",
                    key="model.checkpoint",
                    got=location,
                    allowed=[*sorted(BUNDLED + file.name for file in folder.glob("*.safetensors")), "a path"],
                )
            return path.read_bytes()
    path = Path(location).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = f"model.checkpoint={location} cannot be read: {reason} (looked at {path.resolve()})"
        raise UsageError(problem, key="model.checkpoint", got=location) from None


def checked_checkpoint(location: str, expected: Checksum) -> bytes:
    """Return the content of a checkpoint as `read_checkpoint` does; raises UsageError if its checksum differs."""
    content = read_checkpoint(location)
    if (difference := expected.difference(content)) is not None:
        kind, found, wanted = difference
        setting = "model.sha256" if kind == "sha256" else "model.git_blob"
        raise UsageError(
            f"model.checkpoint={location} has {kind} {found}, expected {wanted}: the file is truncated or another one",
            key="model.checkpoint",
            got=location,
            hint=f"Fetch it again, or set {setting} to that of the file you mean (null: any).",
        )
    return content


def load_checkpoint(encoder: Encoder, location: str, expected_sha256: str | None, git_blob: str | None = None) -> None:
    """Load encoder weights from safetensors or a plain PyTorch state dict; every key must fit.

    The state dict may be an entry of a training program's checkpoint, under one of `WRAPPERS`.

    Args:
        encoder: network that receives the weights.
        location: `bundled:FILE` or a path.
        expected_sha256: digest of the file; None accepts any.
        git_blob: git's object id of the file; None accepts any.

    Raises:
        UsageError: the file is missing, damaged, another one than expected or no plain state dict, or does not fit the
            encoder; the message then lists missing, unexpected and misshapen keys.
    """
    content = checked_checkpoint(location, Checksum(expected_sha256, git_blob))
    _load(encoder, content, f"model.checkpoint={location}")


def load_published(encoder: Encoder, source: Source, places: Places) -> None:
    """Load encoder weights from a published file, which is downloaded if it is not on this machine.

    Raises:
        UsageError: no source has the file; or as `load_checkpoint` does.
    """
    _load(encoder, read(source, places).content, f"{source.what} ({source.file})")


def _load(encoder: Encoder, content: bytes, what: str) -> None:
    own, wanted = encoder.read(content, what), encoder.state_dict()
    if own is not None:
        check_arguments({name: getattr(encoder, name) for name in own.arguments}, own.arguments, what)
    state = _parse(content, what) if own is None else own.state
    if not any(key.startswith(PARALLEL) for key in wanted):
        consume_prefix_in_state_dict_if_present(state, PARALLEL)
    state = encoder.translate(state)
    problems = [
        *_some([f"missing {key}" for key in wanted if key not in state]),
        *_some([f"unexpected {key}" for key in state if key not in wanted]),
        *_some([text for key in wanted if key in state and (text := _misfit(key, state[key], wanted[key]))]),
    ]
    if problems:
        problem = f"{what} does not fit {type(encoder).__name__}: {'; '.join(problems)}{_prefix(state, wanted)}"
        raise UsageError(problem, key="model.checkpoint", got=what)
    # The encoder's own tensors may hold infinities, such as masks of attention.
    if endless := [key for key, one in state.items() if not one.isfinite().all() and wanted[key].isfinite().all()]:
        problem = (
            f"{what} holds numbers that are not finite, in {', '.join(_some(endless))}: its training diverged, or it"
            " was saved as float16, which ends at 65,504 (save it as float32)"
        )
        raise UsageError(problem, key="model.checkpoint", got=what)
    encoder.load_state_dict(state)


def check_arguments(given: Mapping[str, Any], stated: Mapping[str, Any], what: str) -> None:
    """Raise UsageError if arguments of an encoder contradict those that its checkpoint states; dropout may differ."""
    for name, value in stated.items():
        if name != "dropout" and given.get(name) not in (None, value):
            problem = f"model.{name}={given[name]}, but {what} has {name}={value}"
            raise UsageError(problem, key=f"model.{name}", got=given[name], allowed=[str(value)])


def _prefix(state: State, wanted: State) -> str:
    """Return a hint if the keys that share a prefix would fit without it."""
    wanted_shapes = {key: tensor.shape for key, tensor in wanted.items()}
    first = next(iter(wanted), None)
    starts = sorted(key.removesuffix(str(first)) for key in state if key.endswith(f".{first}"))
    for start in starts[:SHOWN]:  # each one costs a pass over all keys
        if {key.removeprefix(start): one.shape for key, one in state.items() if key.startswith(start)} == wanted_shapes:
            return f". Those that begin with '{start}' fit: save them alone, without it"
    return ""


def _some(problems: list[str]) -> list[str]:
    return problems[:SHOWN] + ([f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])


def _misfit(key: str, found: Tensor, wanted: Tensor) -> str | None:
    """Return why a tensor cannot be loaded into another one, or None."""
    if found.shape != wanted.shape:
        return f"{key} is {tuple(found.shape)}, the encoder wants {tuple(wanted.shape)}"
    if found.is_meta:
        return f"{key} has no content"
    real = found.is_floating_point() and found.itemsize > 1  # 8-bit floats have no arithmetic
    if found.layout != torch.strided or (wanted.is_floating_point() and not real):
        return f"{key} is {found.layout} {found.dtype}, the encoder wants {wanted.layout} {wanted.dtype}".replace(
            "torch.", ""
        )
    return None


def _parse(content: bytes, what: str) -> State:
    # PyTorch writes a zip or, earlier, a bare pickle; safetensors begins with the length of its header and "{".
    if (content[:2] == b"PK" or content[:1] == b"\x80") and content[8:9] != b"{":
        return _parse_torch(content, what)
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise UsageError(f"{what} is damaged or no checkpoint: {error}", key="model.checkpoint", got=what) from None


def _parse_torch(content: bytes, what: str) -> State:
    try:
        with warnings.catch_warnings(action="ignore"):  # on files that it refuses afterwards
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # whose message suggests weights_only=False, which executes code of the file
        problem = (
            f"{what} is damaged or holds more than plain tensors: PyTorch's safe loader refuses it. What can be loaded"
            " is the encoder's state_dict() alone: in the program that wrote it, torch.save(model.state_dict(), FILE)"
        )
        raise UsageError(problem, key="model.checkpoint", got=what) from None
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise UsageError(f"{what} is damaged: {first_line(error)}", key="model.checkpoint", got=what) from None
    found = next((one for one in _candidates(state) if _is_state(one)), None)
    if found is None:
        problem = (
            f"{what} is not a plain state dict (names to tensors), nor a dictionary that has one under"
            f" {' or '.join(WRAPPERS)}"
        )
        raise UsageError(problem, key="model.checkpoint", got=what)
    return dict(found)


def _candidates(loaded: Any) -> Iterator[Any]:
    yield loaded
    if isinstance(loaded, dict):
        yield from (loaded[name] for name in WRAPPERS if name in loaded)


def _is_state(loaded: Any) -> bool:
    return isinstance(loaded, dict) and bool(loaded) and all(isinstance(value, Tensor) for value in loaded.values())
