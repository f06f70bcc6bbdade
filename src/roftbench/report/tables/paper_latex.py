"""Tables of a paper as LaTeX that is read by `\\input`: booktabs, caption and label, never wider than the text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from roftbench.errors import check_range
from roftbench.formatting import printable, score_text
from roftbench.report.format import metric_name, rank
from roftbench.report.tables.board import Board
from roftbench.report.tables.bounds import bound_notes
from roftbench.report.tables.footnotes import OUTSIDE, SPREAD, USES_VALIDATION, run_name, spread_notes
from roftbench.report.tables.latex import comments, escape, plain
from roftbench.report.tables.paper import Column, Line, PaperTable, neighbors, paper_tables
from roftbench.report.tables.provenance import asked, facts
from roftbench.report.tables.seen import mark_of, seen_notes
from roftbench.report.tables.shown import is_scored
from roftbench.store.files import write_text

PAPER = "paper.tex"
MARKED = "Bold: what cannot be told from the best of its column at 0.05."
NEEDS = r"\usepackage{booktabs,graphicx}"
SHARES = (
    "roc_auc",
    "average_precision",
    "brier",
    "balanced_accuracy",
)  # scores in [0, 1], for which percent make sense
GAPS = "3/5: three of five runs are there; n/a: not applicable; --: no run."
DECIMALS, PERCENT_DECIMALS = 3, 1
_STYLES = {"bold": "\\textbf{{{}}}", "": "{}"}
_FIT = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"
_Row = dict[Any, Any]  # of a data frame


@dataclass(frozen=True)
class PaperStyle:
    """How scores are written; `decimals` None: 3, or 1 of a percentage."""

    decimals: int | None = None
    percent: bool = False

    def __post_init__(self) -> None:
        if self.decimals is not None:
            check_range("--decimals", self.decimals, 0, 6)

    @property
    def digits(self) -> int:
        """Decimals of numbers that are no percentages."""
        return DECIMALS if self.decimals is None else self.decimals

    def in_percent(self, metric: str) -> bool:
        """Return whether scores by a metric are written as percentages."""
        return self.percent and metric in SHARES

    def number(self, value: float, metric: str) -> str:
        """Return a score, or a standard deviation of scores, as text."""
        if not self.in_percent(metric):
            return score_text(value, self.digits)
        return f"{100 * value:.{PERCENT_DECIMALS if self.decimals is None else self.decimals}f}"


def write_paper(board: Board, folder: Path, style: PaperStyle) -> tuple[Path, int]:
    """Write paper.tex into a folder, replaced as a whole; returns its path and the number of tables.

    Raises OSError if the file cannot be written.
    """
    tables = [_table(table, style) for table in paper_tables(board, style.digits)]
    head = comments([f"Needs {NEEDS}; read it by \\input{{{PAPER}}}.", plain(asked(board)), *facts(board)])
    write_text(folder / PAPER, printable("\n\n".join([head, *tables])) + "\n")
    return folder / PAPER, len(tables)


def _table(table: PaperTable, style: PaperStyle) -> str:
    counts = {row["n"] for row in table.scored}
    shared = len(counts) == 1
    notes = "".join(f"{escape(note)}\\par\n" for note in _notes(table))
    return "\n".join(
        [
            "\\begin{table}[htbp]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\\setlength{\\belowcaptionskip}{4pt}",
            f"\\caption{{{_caption(table, style)}}}",
            f"\\label{{{_label(table)}}}",
            _FIT,
            f"\\begin{{tabular}}{{@{{}}l{'r' * len(table.columns)}@{{}}}}",
            "\\toprule",
            *_header(table, style),
            *_body(table, style, count=not shared),
            *_bound_lines(table),
            "\\bottomrule\n\\end{tabular}}",
            *([f"\\par\\smallskip\n\\parbox{{\\linewidth}}{{\\scriptsize\\raggedright\n{notes}}}"] if notes else []),
            "\\end{table}",
        ]
    )


def _header(table: PaperTable, style: PaperStyle) -> Iterator[str]:
    """Yield lines with data sets, their metrics where these differ, and sub-columns where there are some."""
    groups = neighbors(table.columns)
    subs = any(column.sub for column in table.columns)
    rows = [[(group[0].group, len(group)) for group in groups]]
    if len(table.metrics) > 1:
        names = {metric: _metric(metric, style) for metric in table.metrics}
        rows.append([(names.get(group[0].metric, ""), len(group)) for group in groups])
    if subs:
        rows.append(
            [(column.sub if "label_ratio" in table.fixed else _amount(column.sub), 1) for column in table.columns]
        )
    for i, row in enumerate(rows):
        last = i == len(rows) - 1
        cells = [f"\\multicolumn{{{width}}}{{c}}{{{escape(text)}}}" for text, width in row]
        yield " & ".join(["Method" if last else "", *cells]) + " \\\\"
        if subs and i == len(rows) - 2:
            yield _rules(groups)
    yield "\\midrule"


def _rules(groups: Sequence[Sequence[Column]]) -> str:
    """Return a rule below each data set."""
    rules, end = [], 1
    for group in groups:
        start, end = end + 1, end + len(group)
        rules.append(f"\\cmidrule(lr){{{start}-{end}}}")
    return "".join(rules)


def _body(table: PaperTable, style: PaperStyle, *, count: bool) -> Iterator[str]:
    """Yield the lines of methods below a heading for each mechanism, if there are several."""
    groups = [(name, list(lines)) for name, lines in groupby(table.lines, key=lambda line: line.mechanism)]
    for i, (name, lines) in enumerate(groups):
        if len(groups) > 1:
            space = "\\addlinespace\n" if i else ""
            yield f"{space}\\multicolumn{{{len(table.columns) + 1}}}{{@{{}}l}}{{\\textit{{{name}}}}} \\\\"
        for line in lines:
            cells = (_cell(line, column, style, count=count) for column in table.columns)
            yield " & ".join([escape(line.label), *cells]) + " \\\\"


def _cell(line: Line, column: Column, style: PaperStyle, *, count: bool) -> str:
    row = line.rows.get(column)
    if row is None:
        return ""
    if not column.dataset:
        return escape(rank(row))
    text = line.texts[column]
    if not is_scored(row):
        return escape(text.plain)
    mean = _STYLES[str(text.style)].format(style.number(row["mean"], row["metric"]))
    spread = f"\\,{{\\scriptsize$\\pm${style.number(row['std'], row['metric'])}}}" if row["n"] > 1 else ""
    return f"{mean}{spread}" + (f" ({row['n']})" if count else "") + escape(mark_of(row))


def _bound_lines(table: PaperTable) -> Iterator[str]:
    if table.bounds:
        yield "\\midrule"
    for label, texts in table.bounds.items():
        yield " & ".join([label, *(escape(texts.get(column, "")) for column in table.columns)]) + " \\\\"


def _caption(table: PaperTable, style: PaperStyle) -> str:
    """Return what the table shows, with the number of replicates where all cells have the same."""
    fixed = table.fixed
    what = _metric(table.metrics[0], style) if len(table.metrics) == 1 else "scores"
    where = [f"{fixed['split']} split"] if "split" in fixed else []
    where += [_labels(fixed["label_ratio"])] if "label_ratio" in fixed else []
    where += [f"{fixed['train']} training"] if fixed["train"] not in ("paper", "none") else []
    of = f" of {fixed['model']}" if fixed["model"] else ""
    sentences = [f"Test {what}{of}, {', '.join(where)}{_spread(table)}."]
    sentences += ["Columns: number of training labels."] * ("label_ratio" not in fixed)
    sentences += [MARKED] * any(str(text.style) for line in table.lines for text in line.texts.values())
    number, parts = table.part
    sentences += [f"Part {number} of {parts}."] * (parts > 1)
    return escape(" ".join(sentences))


def _spread(table: PaperTable) -> str:
    """Return what a mean and its ± are over."""
    counts = {row["n"] for row in table.scored}
    if not counts:
        return ""
    kind = run_name(row["replicates"] for row in table.scored)
    if counts == {1}:
        return f", one {kind}"
    over = f"{counts.pop()} {kind}s" if len(counts) == 1 else f"{kind}s, whose number is in brackets"
    return f": mean ± standard deviation over {over}"


def _notes(table: PaperTable) -> list[str]:
    """Return the meanings of marks and of gaps, and what a standard deviation and the bounds are of."""
    labels = "".join(line.label for line in table.lines)
    notes = [note for note in (USES_VALIDATION, OUTSIDE) if note[0] in labels]
    notes += [note for note in spread_notes(row for row in table.scored if row["n"] > 1) if note != SPREAD]
    gaps = any(not is_scored(row) for line in table.lines for column, row in line.rows.items() if column.dataset)
    bounds = {label: [column.dataset for column in texts] for label, texts in table.bounds.items()}
    return notes + seen_notes(table.scored) + [GAPS] * gaps + bound_notes(table.scored, bounds)


def _label(table: PaperTable) -> str:
    number, parts = table.part
    words = [*filter(None, table.fixed.values()), *table.metrics, *([str(number)] if parts > 1 else [])]
    return "tab:" + re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words)).strip("-")


def _metric(metric: str, style: PaperStyle) -> str:
    name = metric_name(metric)
    return f"{name[:-1]}(%) {name[-1]}" if style.in_percent(metric) else name


def _labels(ratio: str) -> str:
    text = _amount(ratio)
    return f"{text} of labels" if "%" in text else f"{text} labels"


def _amount(ratio: str) -> str:
    """Return a label ratio as text: "50", "10 %" or "all"; a name of another form is unchanged."""
    if found := re.fullmatch(r"([nr])0*(\d+)", ratio):
        return found[2] + (" %" if found[1] == "r" else "")
    return "all" if ratio == "full" else ratio
