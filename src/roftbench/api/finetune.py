"""`roftbench.finetune`: a model for molecules and labels in memory."""

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roftbench.api.jobs import record_of
from roftbench.api.labels import SMILES, label_columns
from roftbench.api.options import overrides_of
from roftbench.config.paths import absolute
from roftbench.errors import UsageError, check_range
from roftbench.formatting import csv_lines
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.smiles_input import as_list
from roftbench.store.checksums import sha256
from roftbench.store.files import write_text
from roftbench.store.record_schema import Record

NAME = "table"  # of the data set of a call
ARGUMENTS = {  # by key of the config
    "model": "model", "method": "method", "seed": "seed", "dataset.task": "task", "run.device": "device",
}  # fmt: skip
OWN = (  # keys of the table that a call writes, and of the model that it returns
    "dataset", "dataset.name", "dataset.path", "dataset.smiles_column", "dataset.targets", "paths.results", "run.keep",
)  # fmt: skip


def finetune(
    smiles: Any,
    y: Any,
    *overrides: str,
    model: str = "gin_masking",
    method: str = "roftmol",
    n_seeds: int = 1,
    seed: int = 0,
    task: str | None = None,
    device: str = "auto",
    results: str | Path | None = None,
    verbose: bool = False,
    **options: Any,
) -> Ensemble:
    """Fine-tune a pretrained model to molecules and their labels; return it, ready to predict.

    The numbers are those of `roftbench run dataset=csv` on the same table: by default, a scaffold split into 80 % for
    training, 10 % for selection and calibration, and 10 % for the test scores of the model card.

    Args:
        smiles: N SMILES or RDKit molecules in a list, Series, array or a table with a column "smiles".
        y: Labels: a list, Series or array [N], or a DataFrame or array [N, T] of several tasks; NaN is a missing label.
            Names of a Series or of columns become the names of the tasks.
        *overrides: Overrides as on the command line, such as "train.epochs=30".
        model: Name of a pretrained model (`roftbench list models`).
        method: Name of a method (`roftbench list methods`).
        n_seeds: Number of models, of the seeds `seed`, `seed + 1`, …, which predict together.
        seed: First seed.
        task: "regression" or "classification"; inferred from the labels if not given.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
        results: Folder in which the table, records, logs and models stay, so that the same call fits nothing again;
            without it, everything is in a temporary folder that is removed.
        verbose: Whether settings and results of each job are printed.
        **options: Options by group (`split="random"`), or keys of a group (`train={"epochs": 30}`).

    Returns:
        The models, with the methods `predict`, `embed` and `save`.

    Raises:
        UsageError: Molecules, labels or options cannot be used.
        JobError: A fit failed, such as by diverging.

    Example:
        ```python
        model = roftbench.finetune(["CCO", ...], [-0.77, ...], method="lp_ft", n_seeds=3)
        table = model.predict(["c1ccccc1O"])
        model.save("models/solubility")
        ```
    """
    check_range("n_seeds", n_seeds, 1)
    texts = as_list(smiles, strict=True)
    columns = label_columns(y, len(texts))
    more = [*overrides_of(options), *overrides]
    _check_overrides(more)
    given = overrides_of({"model": model, "method": method, "run.device": device})
    dataset = {"task": task} if task is not None else {}
    with _workspace(results) as (folder, cache):
        path = _written(folder / "inputs", {SMILES: texts, **columns})
        table = {"name": NAME, "path": path, "smiles_column": SMILES, "targets": list(columns), **dataset}
        words = ["dataset=csv", *overrides_of({"dataset": table, "paths.results": folder, "run.keep": True})]
        models, plugins = list[Path](), tuple[str, ...]()
        for number in range(seed, seed + n_seeds):
            words_of_seed = [*words, *given, *more, f"seed={number}"]
            with _named_in_errors(path):
                record, job, context = record_of(words_of_seed, quiet=not verbose, cache=cache)
            models.append(context.store.model_path(record.key))
            plugins = context.plugins
            if number == seed:
                _warn(record, texts, job.model.cautions)
        return load(*models, device=device, plugins=plugins)


def _check_overrides(words: Sequence[str]) -> None:
    """Raise UsageError for an override that contradicts the arguments of a call, or the table that they make."""
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if key in ARGUMENTS:
            which = ", that of the first model" if key == "seed" else ""
            raise UsageError(f"'{word}': give {ARGUMENTS[key]} as an argument{which}", key=key, got=word)
        if key in OWN:
            hint = "Leave it out, or use roftbench.run for a table in a file"
            raise UsageError(
                f"'{word}': finetune sets {key}, for the molecules and labels given", key=key, got=word, hint=hint
            )


@contextmanager
def _workspace(results: str | Path | None) -> Iterator[tuple[Path, Path | None]]:
    """Yield a folder of results and one of featurized data; both are temporary if `results` is None."""
    if results is not None:
        yield absolute(str(results)), None
        return
    with tempfile.TemporaryDirectory(prefix="roftbench-") as name:
        yield Path(name) / "results", Path(name) / "cache"


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    """Name the file of a table in errors as what it is for the caller, whose arguments it holds."""
    try:
        yield
    except UsageError as error:
        message = error.message.replace(str(path), "the table of smiles and y")
        fields = {name: getattr(error, name) for name in ("key", "got", "allowed", "hint")}
        raise UsageError(message, **fields) from None


def _written(folder: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Write a table as CSV, under a name that its content determines; returns its path."""
    rows = ([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    text = csv_lines([[*columns], *rows])
    path = folder / f"{NAME}-{sha256(text.encode('utf-8', 'backslashreplace'))[:16]}.csv"
    write_text(path, text)
    return path


def _cell(value: Any) -> str:
    """Return a value as text; a number in full, a missing one empty, and a text on one line."""
    if value is None:
        return ""
    return " ".join(value.split()) if isinstance(value, str) else str(int(value) if isinstance(value, bool) else value)


def _warn(record: Record, texts: Sequence[str], cautions: Sequence[str]) -> None:
    """Warn of molecules that could not be used, and of what else a job noticed about the table.

    Cautions about the model are in its card.
    """
    if dropped := record.data.dropped:
        shown = "; ".join(f"row {one['row']} ({texts[one['row']][:40]!r}): {one['reason']}" for one in dropped[:3])
        warnings.warn(f"{len(dropped)} of {len(texts)} molecules are not used: {shown}", stacklevel=3)
    unasked = record.count.graphs.test in (0, 1)  # no test part was asked for, but rounding may leave a molecule
    for text in record.warnings:
        if text not in cautions and not (unasked and text.startswith("the test part")):
            warnings.warn(text, stacklevel=3)
