"""`roftbench predict explain=true`: a table of atoms and a drawing per molecule, beside the predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roftbench.console import bar
from roftbench.data.table.stream import Rows
from roftbench.errors import UsageError
from roftbench.formatting import csv_lines
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.explanation.explain import EnsembleExplainer, Explanation
from roftbench.predict.explanation.integrated_gradients import TOLERANCE
from roftbench.predict.featurize import featurized
from roftbench.store.files import write_text, writing
from roftbench.store.folders import new_folder
from roftbench.store.leftovers import remove_leftovers

MOST_ROWS = 1000  # that are explained without a number being given
AT_ONCE = 50  # rows between two steps of the progress bar
TABLE = "atoms.csv"
COLUMNS = ("row", "smiles", "task", "quantity", "atom", "element", "contribution", "value", "baseline", "gap")
DIGITS = 6
ROUNDING = 1e-9  # of the value: a gap below it is none


@dataclass(frozen=True)
class ExplainedTable:
    """The folder, and numbers of molecules in it and of explanations whose gap is large."""

    folder: Path
    molecules: int
    open: int


def folder_of(output: Path) -> Path:
    """Return the folder of explanations that belongs to a table of predictions: out.csv -> out.atoms."""
    return output.with_name(f"{output.name.removesuffix('.gz').removesuffix('.csv')}.atoms")


def rows_to_explain(text: str, count: int) -> int:
    """Return how many rows the value of `explain` stands for: true, false or a number.

    Raises:
        UsageError: it is something else, or the table is too long for `true`.
    """
    if text.lower() in ("", "false"):
        return 0
    if text.isascii() and text.isdigit() and int(text) > 0:
        return min(int(text), count)
    if text.lower() != "true":
        raise UsageError(f"explain={text} is neither true, false nor a number of rows", key="explain", got=text)
    if count > MOST_ROWS:
        problem = f"explain=true is for at most {MOST_ROWS:,} rows; the table has {count:,}"
        raise UsageError(problem, key="explain", got=text, hint=f"For its first rows: explain={MOST_ROWS}")
    return count


def check_folder(folder: Path) -> None:
    """Raise UsageError if a folder holds other files and no explanations."""
    if folder.exists() and not (folder / TABLE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        problem = f"{folder} holds other files: nothing is written into it"
        raise UsageError(problem, key="output", got=str(folder), hint="Give another output, or rename that folder.")


def explain_table(
    explainer: EnsembleExplainer, model: Ensemble, source: Rows, rows: int, folder: Path
) -> ExplainedTable:
    """Write `atoms.csv` and a drawing per molecule and task into a folder, in one step.

    A folder of earlier explanations is replaced; other files in it stay.

    Raises:
        UsageError: the folder cannot be written, or `check_folder` refuses it.
    """
    check_folder(folder)
    remove_leftovers([folder.parent], folder.name)
    with writing(folder, folder, "output"):
        earlier = {path.name for path in folder.glob("row*.svg")} if folder.is_dir() else set()
        with new_folder(folder, {TABLE, *earlier}) as new:
            done = _write(explainer, _explanations(explainer, model, source, rows), new)
    return ExplainedTable(folder, *done)


def _explanations(explainer: EnsembleExplainer, model: Ensemble, source: Rows, rows: int) -> Iterator[Explanation]:
    """Yield the explanations of the first rows of a table, under a progress bar."""
    progress, start = bar((), "explain", "mol", total=rows), 0
    for chunk in source.chunks(AT_ONCE):
        texts = chunk[source.smiles][: rows - start]
        yield from explainer.rows(featurized(texts, model.featurizers, model.strip_salts), start)
        progress.update(len(texts))
        start += len(texts)
        if start >= rows:
            break
    progress.close()


def _write(explainer: EnsembleExplainer, found: Iterator[Explanation], folder: Path) -> tuple[int, int]:
    rows: list[Sequence[object]] = [COLUMNS]
    molecules, wide = set[int](), 0
    several = len(explainer.tasks) > 1
    for one in found:
        molecules.add(one.row)
        wide += abs(one.gap) > TOLERANCE * abs(one.contributions).sum() + ROUNDING * abs(one.value)
        numbers = [f"{value:.{DIGITS}g}" for value in (one.value, one.baseline, one.gap)]
        for atom, (element, contribution) in enumerate(zip(one.elements, one.contributions.tolist(), strict=True)):
            cells = (one.row, one.smiles, one.task, one.quantity, atom, element, f"{contribution:.{DIGITS}g}")
            rows.append([*cells, *numbers])
        name = f"row{one.row}-task{explainer.targets.index(one.task)}" if several else f"row{one.row}"
        write_text(folder / f"{name}.svg", one.svg())
    write_text(folder / TABLE, csv_lines(rows))
    return len(molecules), wide
