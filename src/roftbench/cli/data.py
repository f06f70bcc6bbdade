"""`roftbench data`: the quality report of a data set, as tables or JSON."""

import io
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from roftbench.cli.data_tables import document, print_report
from roftbench.config.components import build
from roftbench.config.compose import clear_errors, composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Component, Job
from roftbench.config.parse import parse
from roftbench.config.registry import existing, options
from roftbench.console import shown
from roftbench.data.dataset import load_dataset
from roftbench.data.quality.report import quality_report
from roftbench.errors import UsageError
from roftbench.formatting import counted, printable
from roftbench.report.page.document import to_html, to_markdown
from roftbench.store.files import check_not_input, check_output, write_output

SPLITS = ("random", "scaffold", "size", "random_scaffold")  # and the table's own column, if it has one


def run(
    dataset: str,
    overrides: Sequence[str],
    config_dir: Path | None,
    out: Path | None,
    pyg: Path | None,
    *,
    as_json: bool,
    full: bool = False,
) -> int:
    """Print the quality report of a data set by name or path, and return 0.

    Args:
        dataset: name or path.
        overrides: those of its config and of the splits.
        config_dir: a config folder of the user.
        out: where the report is written, too: as a page (.html), as Markdown (.md) or else as JSON.
        pyg: where the graphs are written for PyTorch Geometric; then there is no report.
        as_json: print JSON instead of verdict and tables.
        full: print all tables, not the verdict and the warnings alone.

    Raises:
        UsageError: the data set or file does not exist or cannot be used, or a file cannot be written.
    """
    folder = config_dir and existing(config_dir)
    for option, path in (("--out", out), ("--pyg", pyg)):
        if path is not None:
            check_output(path, option)  # before computations of minutes
            check_not_input(path, Path(dataset))
    if pyg is not None:
        return export(dataset, overrides, folder, pyg)
    with redirect_stdout(sys.stderr) if as_json else nullcontext():  # progress of a download would end up in the JSON
        report = make_report(dataset, overrides, folder)
    text = json.dumps(report, indent=1, allow_nan=False)
    if out is not None:
        pages = {".html": to_html, ".md": to_markdown}
        page = pages.get(out.suffix.lower())
        write_output(out, f"{text}\n" if page is None else page(document(report)))
    if as_json:
        print(text)
    else:
        print_report(report, Console(), full=full)
    return 0


def make_report(dataset: str, overrides: Sequence[str], folder: Path | None) -> dict[str, Any]:
    """Return the report on a data set by name or path, with overrides of its config and of the splits.

    Raises:
        UsageError: the data set or file does not exist, or cannot be used.
    """
    job, context, guesses, texts, path = _read(dataset, overrides, folder)
    with clear_errors(texts, folder):
        splits = {split.name: split for split in _splits(job, texts, folder, path)}
        loaded = load_dataset(job.dataset, context.cache / "data", context.places)
        report = quality_report(loaded, {name: build(split) for name, split in splits.items()}, job.label_ratio)
    for name, split in splits.items():
        report["splits"][name] = {"settings": split.params, **report["splits"][name]}
    return {**report, "guesses": guesses}


def export(dataset: str, overrides: Sequence[str], folder: Path | None, out: Path) -> int:
    """Write the molecules of a data set as a list of `torch_geometric.data.Data`, and return 0.

    Each has x, edge_index and edge_attr as `torch_geometric.utils.from_smiles` gives them, smiles, y [1, T] (NaN: no
    label) and row, its data row in the file.

    Raises:
        UsageError: the data set or file does not exist or cannot be used, or `out` cannot be written.
    """
    from roftbench.data.geometric import graphs_of  # here: a second that reports need not spend

    job, context, guesses, *_ = _read(dataset, overrides, folder)
    for guess in guesses:
        print(f"guessed: {guess}")
    loaded = load_dataset(job.dataset, context.cache / "data", context.places)
    graphs = graphs_of(loaded)
    content = io.BytesIO()
    torch.save(graphs, content)
    write_output(out, content.getvalue(), "--pyg")
    without = counted(len(loaded.dropped), "row")
    print(printable(f"{counted(len(graphs), 'graph')} of {loaded.spec.name}, {without} left out: {shown(out)}"))
    return 0


def _read(
    dataset: str, overrides: Sequence[str], folder: Path | None
) -> tuple[Job, RunContext, list[str], list[str], str | None]:
    """Return a job on a data set, its context, guesses about a table, the overrides, and the path of a user's table."""
    path = _own_file(dataset, folder)
    if given := [text for text in overrides if text.partition("=")[0] in ("dataset", "dataset.path")]:
        raise UsageError(f"'{given[0]}': the data set is the first argument, {dataset}", key="dataset", got=given[0])
    texts = [f"dataset={dataset if path is None else 'csv'}", *overrides]
    with clear_errors(texts, folder):
        return *parse(_composed(texts, folder, path), folder), texts, path


def _own_file(dataset: str, folder: Path | None) -> str | None:
    """Return the path of a user's table; None for an option of the config group."""
    names = options("dataset", folder)
    if dataset in names:
        return None
    path = Path(dataset).expanduser()
    if path.is_dir():
        problem = f"{dataset} is a folder: give a table, or the name of a data set"
        raise UsageError(problem, key="dataset", got=dataset, allowed=names)
    if not path.exists():
        problem = f"'{dataset}' is neither a data set nor a file"
        raise UsageError(problem, key="dataset", got=dataset, allowed=names)
    if "${" in dataset:
        problem = f"{dataset}: '${{' in a path is a reference in a config"
        raise UsageError(problem, key="dataset", got=dataset, hint="Rename the file.")
    return dataset


def _splits(job: Job, texts: Sequence[str], folder: Path | None, path: str | None) -> list[Component]:
    """Return the split that the overrides choose, or all splits that need no settings."""
    if any(text.partition("=")[0] == "split" for text in texts):
        return [job.split]
    names = [*SPLITS, "column"] if job.dataset.split_column else SPLITS
    known = {name: options("split", folder)[name] for name in names}
    found = []
    for name in names:
        fitting = [text for text in texts if _fits(text, known[name])]
        found.append(parse(_composed([*fitting, f"split={name}"], folder, path), folder)[0].split)
    return found


def _fits(text: str, split: dict[str, Any]) -> bool:
    """Return whether an override can be combined with a split: it is of another group, or the split has its key."""
    group, _, key = text.partition("=")[0].lstrip("+~").partition(".")
    return group != "split" or key.partition(".")[0] in split


def _composed(texts: Sequence[str], folder: Path | None, path: str | None) -> DictConfig:
    """Return the composed config; the path bypasses Hydra's grammar, in which commas and blanks have a meaning."""
    config = composed(texts, folder)
    if path is not None:
        config.dataset.path = path
    return config
