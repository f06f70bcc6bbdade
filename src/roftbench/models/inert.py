"""Checkpoints with objects beside their tensors, read without importing or running anything that they name.

A Lightning checkpoint, or a model file of chemprop, is a pickle whose hyperparameters hold classes and objects.
PyTorch's restricted unpickler reads it here with a placeholder for each of them.
"""

import io
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from roftbench.errors import UsageError, first_line

# Packages whose objects such files hold, and builtins that are values. A file that names anything else is refused.
PACKAGES = ("chemprop", "collections", "lightning", "numpy", "pathlib", "pytorch_lightning", "torch", "torchmetrics")
VALUES = {f"{module}.{name}" for module in ("__builtin__", "builtins") for name in ("set", "frozenset", "slice")}


class Placeholder:
    """An object of a class that is not imported: the arguments that it was made with, and its state."""

    args: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *args: Any) -> "Placeholder":
        """Return an object that keeps its arguments."""
        made = super().__new__(cls)
        made.args = args
        return made

    def __init__(self, *args: Any) -> None:
        """Do nothing: `__new__` has kept the arguments."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


def class_name(value: Any) -> str | None:
    """Return the name of the class that a placeholder stands for, or of one of its objects; None for other values."""
    found = value if isinstance(value, type) else type(value)
    return found.__name__ if issubclass(found, Placeholder) else None


def _stand_in(name: str) -> Callable[..., Any]:
    """Return the class that stands for one of this name; Lightning's dictionaries of hyperparameters stay such."""
    return OrderedDict if name == "AttributeDict" else type(name, (Placeholder,), {})


def read_inert(content: bytes, what: str) -> Any:
    """Return the content of a file of `torch.save`, with placeholders for objects of unknown classes.

    Raises:
        UsageError: the file is damaged, or names something that such files do not hold.
    """
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
        if foreign := sorted(name for name in named if name.partition(".")[0] not in PACKAGES and name not in VALUES):
            problem = f"{what} is refused: it names {foreign[0]}, which no model file needs"
            raise UsageError(problem, key="model.checkpoint", got=what)
        inert: list[Any] = [(_stand_in(name.rpartition(".")[2]), name) for name in named]
        with torch.serialization.safe_globals(inert), warnings.catch_warnings(action="ignore"):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UsageError:
        raise
    except Exception as error:  # a damaged pickle raises errors of any kind
        # The first sentence of PyTorch's message; others advise to execute the code of the file.
        reason = first_line(error).partition(". ")[0]
        problem = f"{what} is damaged, or no model file: {reason}"
        raise UsageError(problem, key="model.checkpoint", got=what) from None
