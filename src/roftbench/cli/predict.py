"""`roftbench predict` and `roftbench embed`: predictions and representations of a table of molecules."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from roftbench.cli.settings import given_settings
from roftbench.config import registry
from roftbench.config.environment import check_device
from roftbench.config.paths import paths_of
from roftbench.config.plugins import plugins_of
from roftbench.console import duration, say
from roftbench.data.table.stream import Rows, open_rows
from roftbench.errors import UsageError, check_range
from roftbench.formatting import counted
from roftbench.overrides import listed
from roftbench.predict import embedding, table
from roftbench.predict.embedding import embed_table, encoder_of
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.explanation.explain import EnsembleExplainer
from roftbench.predict.explanation.table import check_folder, explain_table, folder_of, rows_to_explain
from roftbench.predict.kept import results_folder, saved_folders
from roftbench.predict.table import predict_table
from roftbench.store.files import check_paths
from roftbench.store.names import Names
from roftbench.store.results import Store

CHECKED = ("threads", "quote_formulas", "sets", "full")  # settings that are no texts
OF_MODEL = ("model=", "model.")  # overrides that define a pretrained model
BESIDE = ("paths.", "plugins=")  # overrides allowed together with them


@dataclass(frozen=True)
class Settings:
    """Settings of `predict` and `embed`; `model` names saved models, or for `embed` also a pretrained one."""

    model: str = ""
    model_dir: str = ""
    input: str = ""
    output: str = ""
    smiles_column: str | None = None
    prefix: str = ""
    device: str = "auto"
    threads: int | None = None
    plugins: str | None = None
    quote_formulas: bool = False
    sets: bool = False
    full: bool = False
    explain: str = ""
    explain_tasks: str = ""

    def __post_init__(self) -> None:
        check_device(self.device)


def settings_of(overrides: Sequence[str]) -> Settings:
    """Return key=value overrides as settings.

    Raises:
        UsageError: a key is unknown, a value has the wrong type, or input or output is missing.
    """
    settings: Settings = given_settings(Settings, overrides, CHECKED)
    for name in ("input", "output"):
        if not getattr(settings, name):
            raise UsageError(f"{name} must be given: {name}=FILE", key=name)
    if settings.threads is not None:
        check_range("threads", settings.threads, 1)
        torch.set_num_threads(settings.threads)
    return settings


def predict(overrides: Sequence[str]) -> int:
    """Write predictions for the molecules of a table; returns 0."""
    paths = [text for text in overrides if text.startswith("paths.")]
    settings = settings_of([text for text in overrides if text not in paths])
    began = time.monotonic()
    check_paths(Path(settings.input), Path(settings.output), table.ENDINGS)
    folders = saved_folders(settings.model, settings.model_dir, paths)
    ensemble = load(*folders, device=settings.device, plugins=plugins_of(settings.plugins))
    source = _source(settings)
    path = Path(settings.output).expanduser()
    rows = rows_to_explain(settings.explain, source.count)
    if settings.explain_tasks and not rows:
        problem = f"explain_tasks={settings.explain_tasks} has no effect without explain"
        raise UsageError(problem, key="explain_tasks", got=settings.explain_tasks, hint="Add explain=true")
    tasks = listed(settings.explain_tasks) or None
    explainer = EnsembleExplainer(ensemble, tasks) if rows else None  # refuses before anything is predicted
    if explainer is not None:
        check_folder(folder_of(path))
    _announce(ensemble, source)
    flags = {name: getattr(settings, name) for name in ("quote_formulas", "sets", "full")}
    done = predict_table(ensemble, source, path, settings.prefix, **flags)
    before = f", {done.before:,} of them before" if done.before else ""
    without = f"; {done.without:,} without a prediction, see the column 'reason'" if done.without else ""
    say(f"{counted(done.rows, 'row')} in {duration(time.monotonic() - began)}{before}{without}")
    say(f"output   {path}")
    if explainer is not None:
        _explain(explainer, ensemble, source, rows, path)
    return 0


def _explain(explainer: EnsembleExplainer, ensemble: Ensemble, source: Rows, rows: int, path: Path) -> None:
    began = time.monotonic()
    done = explain_table(explainer, ensemble, source, rows, folder_of(path))
    say(f"{counted(done.molecules, 'molecule')} explained in {duration(time.monotonic() - began)}")
    if done.open:
        say(f" caution  contributions of {done.open:,} miss the prediction by more than 1 %: column 'gap'")
    say(f"atoms    {done.folder}")


def embed(overrides: Sequence[str], folder: Path | None) -> int:
    """Write the representations of the molecules of a table; returns 0."""
    paths = [text for text in overrides if text.startswith("paths.")]
    named = any(text.startswith(OF_MODEL) for text in overrides) and not _is_kept(overrides, paths, folder)
    with_model = [text for text in overrides if text.startswith((*OF_MODEL, *BESIDE))] if named else []
    settings = settings_of([text for text in overrides if text not in (*with_model, *paths)])
    for name in ("prefix", "explain", "explain_tasks", "sets", "quote_formulas", "full"):
        if given := getattr(settings, name):
            problem = f"{name}={given} belongs to predict: embed adds no columns to a table and explains nothing"
            raise UsageError(problem, key=name, got=given)
    if bool(settings.model_dir or settings.model) == named:
        raise UsageError(
            "give either model=NAME (see roftbench list models, list kept) or model_dir=DIR (a saved model)",
            key="model_dir",
        )
    began = time.monotonic()
    check_paths(Path(settings.input), Path(settings.output), embedding.ENDINGS)
    if named:
        member = encoder_of(with_model, folder, settings.device)
    else:
        folders = saved_folders(settings.model, settings.model_dir, paths)
        members = load(*folders, device=settings.device, plugins=plugins_of(settings.plugins)).members
        if len(members) > 1:
            key, got = ("model", settings.model) if settings.model else ("model_dir", settings.model_dir)
            problem = f"{key}={got}: representations are those of a single model: give one folder of the {len(members)}"
            raise UsageError(problem, key=key, got=got)
        [member] = members
    source = _source(settings)
    path = Path(settings.output).expanduser()
    without = embed_table(member, source, path)
    none = f"; {without:,} without a representation" if without else ""
    say(f"{counted(source.count, 'row')} in {duration(time.monotonic() - began)}{none}\noutput   {path}")
    return 0


def _is_kept(overrides: Sequence[str], paths: Sequence[str], folder: Path | None) -> bool:
    """Return whether model=NAME names a saved model; raises UsageError if it names no model at all."""
    named = [text.partition("=")[2] for text in overrides if text.startswith("model=")]
    pretrained = registry.names("model", folder)
    if not named or named[-1] in pretrained:
        return False
    known = Names(Store(results_folder(paths_of(paths).results))).all()
    if named[-1].partition(",")[0] not in known:
        problem = f"unknown model '{named[-1]}'"
        raise UsageError(problem, key="model", got=named[-1], allowed=[*pretrained, *known])
    return True


def _source(settings: Settings) -> Rows:
    source = open_rows(Path(settings.input).expanduser(), settings.smiles_column)
    for note in source.notes:
        say(f"  guessed: {note}")
    return source


def _announce(ensemble: Ensemble, source: Rows) -> None:
    count = f"{len(ensemble.saved)} models: " if len(ensemble.saved) > 1 else ""
    tasks = len(ensemble.targets)
    say(f"   model  {count}{ensemble.names}, {tasks} {ensemble.task} task{'s' * (tasks > 1)}")
    say(f"   input  {source.path}: {counted(source.count, 'row')}")
    if ensemble.intervals is None:
        negative, positive = ensemble.saved[0].classes
        say(f"   class  probabilities are those of '{positive}', against '{negative}'")
    else:
        found = ensemble.held()
        share = "an unknown share" if found is None else f"{100 * found:.0f} %"
        alone = " by each model alone" if len(ensemble.saved) > 1 else ""
        held = f"{share} of {f'labels in left-out folds{alone}' if ensemble.refitted else 'the test labels'}"
        without = int(np.isnan(ensemble.intervals.constant).sum())
        none = f"; {without} of {tasks} tasks have none" if without else ""
        say(f"interval  90 % intended; held for {held}{none}")
    if ensemble.untrained:
        names = ", ".join(ensemble.targets[place] for place in ensemble.untrained[:5])
        of_tasks = counted(len(ensemble.untrained), "task")
        say(f" caution  no training label in {of_tasks}, without prediction: {names}")
