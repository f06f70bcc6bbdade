"""roftbench: benchmark robust fine-tuning of pretrained molecular graph models (arXiv 2509.00614)."""

from roftbench.__about__ import __version__

TYPE_CHECKING = False  # not from `typing`, whose import before `main` an interrupt would end with a traceback
if TYPE_CHECKING:
    from roftbench.predict.embedding import embed
    from roftbench.predict.ensemble import load

__all__ = ["__version__", "embed", "load"]


def __getattr__(name: str) -> object:
    """Import `load` and `embed` on first use: they import torch, which takes seconds."""
    if name == "load":
        from roftbench.predict.ensemble import load

        return load
    if name == "embed":
        from roftbench.predict.embedding import embed

        return embed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
