"""roftbench: benchmark robust fine-tuning of pretrained molecular graph models (arXiv 2509.00614)."""

from roftbench.__about__ import __version__

TYPE_CHECKING = False  # not from `typing`, whose import before `main` an interrupt would end with a traceback
if TYPE_CHECKING:
    from roftbench.api.estimators import FineTunedClassifier, FineTunedRegressor
    from roftbench.api.finetune import finetune
    from roftbench.api.jobs import run
    from roftbench.api.tables import records
    from roftbench.predict.embedding import embed
    from roftbench.predict.ensemble import load
    from roftbench.predict.exchange.onnx import onnx_inputs
    from roftbench.predict.explanation.explain import explain

__all__ = [
    "FineTunedClassifier",
    "FineTunedRegressor",
    "__version__",
    "embed",
    "explain",
    "finetune",
    "load",
    "onnx_inputs",
    "records",
    "run",
]

_LAZY = {  # imported on first use: torch and pandas take seconds
    "FineTunedClassifier": "roftbench.api.estimators",
    "FineTunedRegressor": "roftbench.api.estimators",
    "embed": "roftbench.predict.embedding",
    "explain": "roftbench.predict.explanation.explain",
    "finetune": "roftbench.api.finetune",
    "load": "roftbench.predict.ensemble",
    "onnx_inputs": "roftbench.predict.exchange.onnx",
    "records": "roftbench.api.tables",
    "run": "roftbench.api.jobs",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
