"""Notes below a table: missing and failed jobs, selected hyperparameters, label budget."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roftbench.report.statistics.contest import CONOVER, TUKEY, Contest
from roftbench.report.statistics.repeated_measures import MAX_VARIANCE_RATIO
from roftbench.report.tables.board import COMPARABLE, Board
from roftbench.report.tables.seen import seen_notes
from roftbench.report.tables.shown import is_scored

OUTSIDE = "† no network and none of the nine methods: takes no part in average ranks."
NOT_REPORTABLE = (
    "§ NOT REPORTABLE: hyperparameters chosen by the mean test score, in the cells that had a choice. It shows what"
    " that would have given, and takes no part in average ranks and comparisons."
)
USES_VALIDATION = "‡ also takes gradients on validation labels (the third number of the label budget)."
FOLDS = (
    "± is the standard deviation over {} of a cross-validation: other test molecules, other labels and, unless"
    " seed is given, other training seeds. Folds share training molecules and are not independent."
)
SPREAD = (
    "± is the standard deviation over training seeds on one split and, where labels are few, one subset of them; other"
    " splits and subsets vary more (LP of gin_masking on BACE, random split, 50 labels: 0.015 over 5 seeds, 0.052 over"
    " 15 subsets)."
)
POOLED = "± is the standard deviation over {} pooled runs ({}): it holds how much {} vary, too."
OTHER_TESTS = (
    "Rows of other splits have other test molecules, and rows of other label ratios other training labels: nothing is"
    " ranked or bold here."
)
BEST = "Bold: what cannot be told from the best of its column at 0.05, by {} over {}."
ONE_SPLIT = "They share one split: this says how training varies, not how another split would turn out."
_UNEQUAL = f"one row's variance is more than {MAX_VARIANCE_RATIO:g} times another's,"
TESTS = {
    (TUKEY,): TUKEY,
    (CONOVER,): f"{CONOVER} on ranks, as {_UNEQUAL}",
    (TUKEY, CONOVER): f"{TUKEY}, or {CONOVER} on ranks where {_UNEQUAL}",
}
REASONS = 10  # reasons of failures that are listed below a table
_Row = dict[Any, Any]  # of a data frame
_Lines = Mapping[str, list[_Row]]


def notes_of(
    board: Board, rows: list[_Row], lines: _Lines, tested: list[_Row], contests: Sequence[Contest]
) -> list[str]:
    """Return the notes of a table.

    `lines` are its rows by label, `tested` the cells that test selection gives, `contests` those of its columns.
    """
    notes = _ended(board, rows)
    ranked, datasets = rows[0]["datasets"], len({row["dataset"] for row in rows})
    notes += _best(contests)
    notes += [OTHER_TESTS] * (not set(COMPARABLE) <= set(board.request.group) and not rows[0]["baseline"])
    if ranked < datasets and rows[0]["ranked"]:
        notes.append(f"Average rank over {ranked} of {datasets} data sets: those that every method has in full.")
    notes += [f"{label}, selected: {text}." for label, line in lines.items() if (text := _tuned(line))]
    for label, line in lines.items():
        beside = [row for row in tested if row["row"] == line[0]["row"]]
        notes += [f"{label} §, selected by test scores: {text}." for text in [_tuned(beside)] if text]
    notes += _budget(lines)
    notes += spread_notes(row for row in (*rows, *tested) if shows_spread(row))
    notes += seen_notes(rows)
    notes += [OUTSIDE] * any(row["baseline"] for row in rows)
    return notes + [NOT_REPORTABLE] * bool(tested)


def shows_spread(row: _Row) -> bool:
    """Return whether a cell shows a ±: it has all its seeds, several of them, and a mean."""
    return bool(row["n"] > 1) and is_scored(row)


def spread_notes(rows: Iterable[_Row]) -> list[str]:
    """Return notes on the runs that the ± of cells is over, one for each split and label ratio where these differ."""
    by_design: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        by_design.setdefault(tuple(row[part] for part in COMPARABLE), []).append(row["replicates"])
    notes = {design: spread_note(replicates) for design, replicates in by_design.items()}
    if len(set(notes.values())) < 2:
        return [*dict.fromkeys(notes.values())]
    differ = [len(set(values)) > 1 for values in zip(*notes, strict=True)]
    return [
        f"{', '.join(part for part, differs in zip(design, differ, strict=True) if differs)}: {note}"
        for design, note in notes.items()
    ]


def spread_note(replicates: Iterable[str]) -> str:
    """Return a note on the runs that the ± of cells is over; `replicates`: those of each cell, separated by blanks."""
    runs = sorted({run for text in replicates for run in text.split()})
    first, *others = (sorted(set(values)) for values in zip(*(run.split("/") for run in runs), strict=True))
    pooled = {name: len(of) for name, of in zip(("split", "label subset"), others, strict=False) if len(of) > 1}
    seeds = len({one.partition("@")[0] for one in first})
    folds = len({one.partition("@")[2] for one in first if "@" in one})
    if not pooled:
        each = len(first) // folds if folds else 0
        return FOLDS.format(f"{folds} folds" + f" × {each} seeds" * (each > 1)) if folds > 1 else SPREAD
    counts = [f"{folds} folds"] if folds > 1 else [f"{seeds} training seed{'s' * (seeds > 1)}"]
    counts += [f"{count} {name} seeds" for name, count in pooled.items()]
    return POOLED.format(len(runs), ", ".join(counts), " and ".join(f"{name}s" for name in pooled))


def run_name(replicates: Iterable[str]) -> str:
    """Return what differs between replicates of cells: "training seed" or "fold", or "run" for both, and pooled draws.

    `replicates`: those of each cell, separated by blanks.
    """
    kinds = {_run_name(text) for text in replicates}
    return kinds.pop() if len(kinds) == 1 else "run"


def _run_name(replicates: str) -> str:
    runs = replicates.split()
    if "/" in replicates:
        return "run"
    if "@" not in replicates:
        return "training seed"
    return "fold" if len({run.partition("@")[2] for run in runs}) == len(runs) else "run"


def _best(contests: Sequence[Contest]) -> list[str]:
    """Return the meaning of bold in a table, and the rows with scores that are not compared."""
    tested = [one for one in contests if one.tested]
    if not tested:
        return []
    test = TESTS[tuple(sorted({one.test for one in tested}, reverse=True))]
    counts = " or ".join(dict.fromkeys(one.count for one in tested))
    out = [f"{label} ({one.dataset})" for one in tested for label in one.incomplete]
    constant = dict.fromkeys(label for one in tested for label in one.constant)
    return [
        BEST.format(test, counts) + (f" {ONE_SPLIT}" if all(one.one_split for one in tested) else ""),
        *([f"Not compared, as seeds, folds or scores are missing: {', '.join(out)}."] if out else []),
        *([f"Not compared, as its score is the same in all folds: {', '.join(constant)}."] if constant else []),
    ]


def _ended(board: Board, rows: list[_Row]) -> list[str]:
    """Return the failed and skipped jobs of a table's cells, one line per reason."""
    labels = {(row["home"], row["dataset"], row["method"]): row["label"] for row in rows if row["status"]}
    if not labels:
        return []
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    failed = board.failed[board.failed["setting"].isin({home for home, _, _ in labels})]
    for row in failed.sort_values(["status", "method", "dataset", "seed", "key"]).to_dict("records"):
        if label := labels.get((row["setting"], row["dataset"], row["method"])):
            cells = found.setdefault((row["status"], " ".join(str(row["error"]).split())), {})
            cells.setdefault(f"{label} on {row['dataset']}", []).append(row["replicate"])
    words = {"failed": "Failed", "skipped": "Not applicable (n/a)"}
    notes = [f"{words[status]}: {_cells(cells)}: {error.rstrip('.')}." for (status, error), cells in found.items()]
    more = [f"And {len(notes) - REASONS} more reasons: `roftbench list runs`."] if len(notes) > REASONS else []
    return notes[:REASONS] + more


def _cells(cells: Mapping[str, list[str]]) -> str:
    return ", ".join(f"{cell} (seed {', '.join(dict.fromkeys(seeds))})" for cell, seeds in cells.items())


def _selected(row: _Row) -> bool:
    """Return whether a cell was tuned and its selected candidate has a score in every seed."""
    return bool(row["n"] and row["tuned"] and row["mean"] == row["mean"])


def _tuned(line: list[_Row]) -> str:
    return "; ".join(f"{row['dataset']}: {row['tuned']}" for row in line if _selected(row))


def _budget(lines: _Lines) -> list[str]:
    """Return the number of labels that each method used, grouped by equal numbers."""
    used: dict[str, list[str]] = {}
    for label, line in lines.items():
        counts = [f"{row['dataset']} {text}" for row in line if row["n"] and (text := _labels(row))]
        if counts:
            used.setdefault(", ".join(counts), []).append(label)
    if not used:
        return []
    notes = [f"{', '.join(labels)}: {counts}." for counts, labels in used.items()]
    marked = any("‡" in label for label in lines)
    what = "Label budget (labels for weights / selection / interpolation coefficients)"
    return [f"{what}: {' '.join(notes)}", *([USES_VALIDATION] if marked else [])]


def _labels(row: _Row) -> str:
    """Return the label numbers of a cell: means over replicates, or "" where they are not recorded."""
    numbers = [row[name] for name in ("labels", "labels_selection", "labels_interpolation")]
    return "" if any(number != number for number in numbers) else "/".join(f"{number:g}" for number in numbers)
