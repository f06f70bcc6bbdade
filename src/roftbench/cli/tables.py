"""`roftbench tables`: leaderboards and statistics from records, printed and written."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from roftbench.config.paths import absolute, paths_of
from roftbench.console import shown, wide_console
from roftbench.errors import UsageError
from roftbench.formatting import printable
from roftbench.report.analysis import write_evidence
from roftbench.report.molecules import render_molecules
from roftbench.report.predictions.origin import Origins
from roftbench.report.predictions.parquet import FEW, FILE, expected_rows, write_predictions
from roftbench.report.predictions.pictures import write_pictures
from roftbench.report.query import Request
from roftbench.report.records import read_records
from roftbench.report.scores import PACKED, SCORES, read_scores, write_scores
from roftbench.report.tables.board import COMPARABLE, Board
from roftbench.report.tables.by_model import by_model, render, write_models
from roftbench.report.tables.layout import Leaderboard
from roftbench.report.tables.paper_latex import NEEDS, PaperStyle, write_paper
from roftbench.report.tables.provenance import asked, brief, render_provenance
from roftbench.report.tables.render import json_text, plain_rows, print_rich, to_json, write_tables
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.results import Store

logger = logging.getLogger(__name__)

WIDTH = 250  # columns of output that does not go to a terminal
BY_MODEL = ("--by", "model")
OF_LEADERBOARDS = ("select=test", "reference=", "delta=")  # what tables of a paper have not
OF_METHODS = ("select=test", "group=", "metric=all", "reference=", "delta=")  # what tables of models have not


_Show = Callable[["Board", Path, "Output", str], list[Path]]


@dataclass(frozen=True)
class Output:
    """Settings of the output.

    out: folder (None: beside the records). by: what the rows are, "method" or "model". figures, predictions: None draws
    or writes them if they are few. paper: how scores are written in tables of a paper; None for leaderboards.
    """

    out: Path | None = None
    by: str = "method"
    as_json: bool = False
    figures: bool | None = None
    predictions: bool | None = None
    paper: PaperStyle | None = None


def show_tables(words: Sequence[str], scores: Sequence[Path], output: Output) -> int:
    """Print and write the tables of the records that the filters in `words` select; returns 0.

    The records are those of the results folder, or of the scores.csv files in `scores`.

    Raises:
        UsageError: `words` select nothing, there is no finished job, or the tables cannot be written.
    """
    request, rest = Request.parse(words)
    _check_combination(request, output)
    if scores and output.out is None and (words_given := " ".join(request.words())):
        beside = "the tables beside it would be replaced by others"
        raise UsageError(f"--from with {words_given}: {beside}; give another folder, --out DIR", key="--out")
    if len(scores) > 1 and output.out is None:
        raise UsageError("--from is given several times: give a folder for their tables, --out DIR", key="--out")
    if scores and output.predictions:
        problem = "--predictions needs the records, and --from reads scores alone"
        raise UsageError(problem, key="--predictions", hint="Leave out --from, or --predictions.")
    paths = paths_of(rest)
    results = absolute(paths.results)
    store, origins = None if scores else Store(results), Origins(paths)
    records, failures = read_records(store) if store else read_scores(*scores)
    board = Board.create(records, failures, request, ", ".join(map(str, scores)) or results)
    folder = output.out or (scores[0].absolute().parent if scores else results / "tables")
    left_out = len(records) + len(failures) - len(board.records) - len(board.failures)
    packed = [path.name for path in scores] == [PACKED]
    keeps = _keeps_scores(folder / (PACKED if packed else SCORES), scores, left_out)
    show: _Show = partial(_show_methods, store=store, origins=origins)
    if output.paper or output.by == "model":
        show = _show_paper if output.paper else _show_models
    suffix = "".join(f" {word}" for word in rest if word.startswith("paths.results="))
    remove_leftovers([folder])
    try:
        written = show(board, folder, output, suffix)
        written += [] if keeps else write_scores(board.records, board.failures, folder, packed=packed)
        written += _write_predictions(board, store, origins, folder, output) if store and not output.paper else []
    except OSError as error:
        raise UsageError(f"the tables cannot be written: {error}", key="--out", got=str(folder)) from None
    if not output.as_json:
        print(printable(f"{len(board.records)} records; written to {shown(folder)}: {', '.join(_names(written))}"))
    return 0


def _write_predictions(board: Board, store: Store, origins: Origins, folder: Path, output: Output) -> list[Path]:
    """Write the companion of scores.csv and figures of predictions, as asked or by default where they are few.

    A companion of earlier records is removed if none is written.
    """
    rows = expected_rows(board.records)
    if output.predictions is None and rows > FEW:
        logger.warning("%s would have about %s rows and is not written; --predictions writes it", FILE, f"{rows:,}")
    wanted = rows <= FEW if output.predictions is None else output.predictions
    written = write_predictions(board.records, store, origins, folder) if wanted else []
    if not written:
        (folder / FILE).unlink(missing_ok=True)
    if output.by == "model":
        return written
    source, figures = (asked(board), render_provenance(board)), output.figures
    return written + write_pictures(board.long, board.table, store, origins, folder, figures=figures, source=source)


def _check_combination(request: Request, output: Output) -> None:
    """Raise UsageError for options that exclude one another."""
    rows = [word for word in request.words() if word.startswith(OF_METHODS)]
    if output.by == "model" and rows:
        raise UsageError(f"--by model cannot be combined with {rows[0]}", key="--by", got="model")
    if output.by == "model" and output.figures:
        raise UsageError("--by model cannot be combined with --figures: it draws none", key="--by", got="model")
    alone = ("--json", output.as_json), ("--by model", output.by == "model"), ("--figures", output.figures)
    beside = [name for name, given in (*alone, ("--predictions", output.predictions)) if given]
    beside += [word for word in request.words() if word.startswith(OF_LEADERBOARDS)]
    if output.paper and beside:
        problem = f"--layout paper cannot be combined with {beside[0]}: it writes paper.tex alone"
        raise UsageError(problem, key="--layout", got="paper")
    if output.paper and not set(COMPARABLE) <= set(request.group):
        problem = (
            f"--layout paper has splits or numbers of labels as columns: keep {' and '.join(COMPARABLE)} in group="
        )
        raise UsageError(problem, key="group", got=",".join(request.group))


def _keeps_scores(own: Path, scores: Sequence[Path], left_out: int) -> bool:
    """Return whether a folder's own scores stay unchanged, as the tables are made from some of its jobs only.

    If they are made from all jobs, it is rewritten, with columns that older versions lack.

    Raises:
        UsageError: it is joined with others, and would lose jobs that a filter leaves out.
    """
    over = own.exists() and any(own.samefile(path) for path in scores)
    if over and len(scores) > 1 and left_out:
        problem = f"{own} would lose {left_out} jobs: give another --out, or remove the filters"
        raise UsageError(problem, key="--out", got=str(own))
    return over and left_out > 0


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files; figures are only counted."""
    names = [path.name for path in paths if path.suffix not in (".svg", ".pdf")]
    figures = sum(path.suffix == ".svg" for path in paths)
    return [*names, f"{figures} figure{'s' * (figures > 1)} (.svg, .pdf)"] if figures else names


def _show_methods(
    board: Board, folder: Path, output: Output, suffix: str, *, store: Store | None, origins: Origins
) -> list[Path]:
    found = Leaderboard.create(board)
    written = write_tables(found, folder)
    if output.as_json:
        print(to_json(board))
    else:
        print_rich(found, wide_console(WIDTH), suffix)
    source = asked(board), render_provenance(board)
    return written + write_evidence(
        board.long,
        folder,
        board.reference,
        contests=found.contests,
        shown=found.shown,
        delta=board.delta,
        molecules=render_molecules(board, found.contests, store, origins),
        figures=output.figures,
        source=source,
    )


def _show_paper(board: Board, folder: Path, output: Output, suffix: str) -> list[Path]:
    assert output.paper is not None
    path, count = write_paper(board, folder, output.paper)
    print(f"{count} table{'s' * (count != 1)}: {NEEDS} in the preamble, \\input{{{printable(path.name)}}} in the text")
    return [path]


def _show_models(board: Board, folder: Path, output: Output, suffix: str) -> list[Path]:
    frame = by_model(board.table)
    written = write_models(frame, folder, (asked(board, *BY_MODEL), render_provenance(board, *BY_MODEL)))
    if output.as_json:
        print(json_text(plain_rows(frame)))
    else:
        print(printable(f"{render(frame)}\n{brief(board, *BY_MODEL)}"))
    return written
