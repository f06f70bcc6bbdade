"""`roftbench export`: a saved model as an ONNX file or as a folder for a model hub."""

from collections.abc import Sequence
from pathlib import Path

from roftbench.config.paths import paths_of
from roftbench.config.plugins import plugins_of
from roftbench.console import say
from roftbench.errors import UsageError
from roftbench.predict.ensemble import load
from roftbench.predict.exchange.hub import export_hub
from roftbench.predict.exchange.onnx import INPUTS, export_onnx

KEYS = ("plugins", "paths.results")


def export(
    model: str,
    onnx: Path | None,
    hub: Path | None,
    license_name: str | None,
    overrides: Sequence[str],
    *,
    training_data: bool = False,
) -> int:
    """Write what was asked for and return 0.

    Args:
        model: name or folder of a saved model, or several separated by commas.
        onnx: file to write.
        hub: folder to write.
        license_name: license of the model on the hub.
        overrides: `plugins=` and `paths.results=`.
        training_data: whether the folder holds the training molecules.

    Raises:
        UsageError: nothing is asked for, there is no such model, or it cannot be exported or written.
    """
    if onnx is None and hub is None:
        raise UsageError("nothing to write: give --onnx FILE, --hub FOLDER or both", key="export")
    if hub is None and (license_name is not None or training_data):
        key = "--training-data" if license_name is None else "--license"
        raise UsageError(f"{key} belongs to --hub", key=key, got=license_name)
    given = dict(text.split("=", 1) for text in overrides)
    if unknown := [key for key in given if key not in KEYS]:
        raise UsageError(f"unknown key '{unknown[0]}'", key=unknown[0], got=unknown[0], allowed=KEYS)
    names = [model] if Path(model).expanduser().is_dir() else [name.strip() for name in model.split(",")]
    results = paths_of([text for text in overrides if text.startswith("paths.")]).results
    loaded = load(*names, device="cpu", plugins=plugins_of(given.get("plugins")), results=results)
    if onnx is not None:
        done = export_onnx(loaded, onnx)
        say(f"   onnx  {done.network} ({done.size / 1e6:.1f} MB): inputs {', '.join(INPUTS)}")
        say(f"         {done.description} describes them; roftbench.onnx_inputs makes them of SMILES")
    if hub is not None:
        written = export_hub(loaded, hub, license_name or "other", training_data=training_data)
        molecules = " and, in training.csv, the training molecules" if training_data else ""
        say(f"    hub  {written}")
        say(f" caution  it holds labels and fingerprints of the data{molecules}")
    return 0
