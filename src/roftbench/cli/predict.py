"""`roftbench predict` and `roftbench embed`: predictions and representations of a table of molecules."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from roftbench.config.environment import check_device
from roftbench.config.plugins import default_plugins
from roftbench.config.schema import typed
from roftbench.console import duration, say
from roftbench.data.table.stream import Rows, open_rows
from roftbench.errors import UsageError, check_range
from roftbench.overrides import elements
from roftbench.predict import embedding, table
from roftbench.predict.embedding import embed_table, encoder_of
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.table import predict_table
from roftbench.store.files import check_paths

OF_MODEL = ("model=", "model.")  # overrides that define a pretrained model
BESIDE = ("paths.", "plugins=")  # overrides allowed together with them


@dataclass(frozen=True)
class Settings:
    """Settings of `predict` and `embed`."""

    model_dir: str = ""
    input: str = ""
    output: str = ""
    smiles_column: str | None = None
    prefix: str = ""
    device: str = "auto"
    threads: int | None = None
    plugins: str | None = None
    quote_formulas: bool = False

    def __post_init__(self) -> None:
        check_device(self.device)


def settings_of(overrides: Sequence[str]) -> Settings:
    """Return key=value overrides as settings.

    Raises:
        UsageError: a key is unknown, a value has the wrong type, or input or output is missing.
    """
    given = dict(text.split("=", 1) for text in overrides)
    if unknown := [key for key in given if key not in Settings.__dataclass_fields__]:
        raise UsageError(
            f"unknown key '{unknown[0]}'", key=unknown[0], got=unknown[0], allowed=Settings.__dataclass_fields__
        )
    texts: dict[str, Any] = {key: value for key, value in given.items() if value != "null"}
    checked: dict[str, Any] = {key: texts.pop(key) for key in ("threads", "quote_formulas") if key in texts}
    settings: Settings = replace(typed(Settings, checked, ""), **texts)  # unchanged: "${" in a name is not a reference
    for name in ("input", "output"):
        if not getattr(settings, name):
            raise UsageError(f"{name} must be given: {name}=FILE", key=name)
    if settings.threads is not None:
        check_range("threads", settings.threads, 1)
        torch.set_num_threads(settings.threads)
    return settings


def predict(overrides: Sequence[str]) -> int:
    """Write predictions for the molecules of a table; returns 0."""
    settings = settings_of(overrides)
    if not settings.model_dir:
        raise UsageError(
            "model_dir must be given: model_dir=<results>/models/<key>, several separated by commas", key="model_dir"
        )
    began = time.monotonic()
    check_paths(Path(settings.input), Path(settings.output), table.ENDINGS)
    ensemble = load(*_folders(settings.model_dir), device=settings.device, plugins=_plugins(settings))
    source = _source(settings)
    _announce(ensemble, source)
    path = Path(settings.output).expanduser()
    done = predict_table(ensemble, source, path, settings.prefix, quote_formulas=settings.quote_formulas)
    before = f", {done.before:,} of them before" if done.before else ""
    without = f"; {done.without:,} without a prediction, see the column 'reason'" if done.without else ""
    say(f"{done.rows:,} rows in {duration(time.monotonic() - began)}{before}{without}")
    say(f"output   {path}")
    return 0


def embed(overrides: Sequence[str], folder: Path | None) -> int:
    """Write the representations of the molecules of a table; returns 0."""
    named = any(text.startswith(OF_MODEL) for text in overrides)
    with_model = [text for text in overrides if text.startswith((*OF_MODEL, *BESIDE))] if named else []
    settings = settings_of([text for text in overrides if text not in with_model and not text.startswith("paths.")])
    if settings.prefix:
        problem = f"prefix={settings.prefix} belongs to predict: embed adds no columns to a table"
        raise UsageError(problem, key="prefix", got=settings.prefix)
    if bool(settings.model_dir) == named:
        raise UsageError(
            "give either model=NAME (see roftbench list models) or model_dir=DIR (a saved model)", key="model_dir"
        )
    began = time.monotonic()
    check_paths(Path(settings.input), Path(settings.output), embedding.ENDINGS)
    if named:
        member = encoder_of(with_model, folder, settings.device)
    else:
        members = load(*_folders(settings.model_dir), device=settings.device, plugins=_plugins(settings)).members
        if len(members) > 1:
            problem = f"model_dir={settings.model_dir}: representations are those of a single model: give one folder"
            raise UsageError(problem, key="model_dir", got=settings.model_dir)
        [member] = members
    source = _source(settings)
    path = Path(settings.output).expanduser()
    without = embed_table(member, source, path)
    none = f"; {without:,} without a representation" if without else ""
    say(f"{source.count:,} rows in {duration(time.monotonic() - began)}{none}\noutput   {path}")
    return 0


def _folders(model_dir: str) -> list[str]:
    """Return the folders of saved models, separated by commas; the name of a single folder may contain one."""
    if Path(model_dir).expanduser().is_dir():
        return [model_dir]
    folders = [folder.strip() for folder in model_dir.split(",")]
    if not all(folders):
        raise UsageError(f"model_dir={model_dir}: a name is missing between commas", key="model_dir", got=model_dir)
    return folders


def _plugins(settings: Settings) -> list[str]:
    """Return the names of plug-ins, written as A,B or [A,B]."""
    return default_plugins() if settings.plugins is None else [name for name in elements(settings.plugins) if name]


def _source(settings: Settings) -> Rows:
    source = open_rows(Path(settings.input).expanduser(), settings.smiles_column)
    for note in source.notes:
        say(f"  guessed: {note}")
    return source


def _announce(ensemble: Ensemble, source: Rows) -> None:
    jobs = [one.facts["job"] for one in ensemble.saved]
    models = ", ".join(sorted({f"{job['model']['name']} · {job['method']['name']}" for job in jobs}))
    count = f"{len(jobs)} models: " if len(jobs) > 1 else ""
    say(f"   model  {count}{models}, {len(ensemble.targets)} {ensemble.task} task{'s' * (len(ensemble.targets) > 1)}")
    say(f"   input  {source.path}: {source.count:,} rows")
    if ensemble.task == "classification":
        negative, positive = ensemble.saved[0].classes
        say(f"   class  probabilities are those of '{positive}', against '{negative}'")
    else:
        shares = [share for share in ensemble.coverage() if share is not None]
        share = f"{100 * sum(shares) / len(shares):.0f} %" if shares else "an unknown share"
        held = f"{share} of {'labels in left-out folds' if ensemble.refitted else 'the test labels'}"
        without = int(np.isnan(ensemble.calibration).sum())
        none = f"; {without} of {len(ensemble.targets)} tasks have none" if without else ""
        say(f"interval  90 % intended; held for {held}{none}")
    if ensemble.untrained:
        names = ", ".join(ensemble.targets[place] for place in ensemble.untrained[:5])
        say(f" caution  no training label in {len(ensemble.untrained)} tasks, which have no prediction: {names}")
