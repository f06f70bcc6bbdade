"""roftbench: benchmark robust fine-tuning of pretrained molecular graph models (arXiv 2509.00614)."""

from roftbench.__about__ import __version__

TYPE_CHECKING = False  # without the module `typing`: until `main` runs, an interrupt gives a traceback
if TYPE_CHECKING:
    from roftbench.predict.embedding import embed
    from roftbench.predict.ensemble import load

__all__ = ["__version__", "embed", "load"]


def __getattr__(name: str) -> object:
    """Import what uses kept models when it is first asked for: it needs torch, which takes seconds."""
    if name == "load":
        from roftbench.predict.ensemble import load

        return load
    if name == "embed":
        from roftbench.predict.embedding import embed

        return embed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
