"""Tables for LaTeX, with the rules of the package booktabs."""

import re
from collections.abc import Iterable

import pandas as pd

from roftbench.report.tables.layout import BEST, Layout

_SPECIAL = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
    | {"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "²": r"$^2$", "·": r"$\cdot$"}
    | {"≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\to$", "χ": r"$\chi$", "–": "--", "…": r"\dots{}"}
    | {"†": r"$^\dagger$", "‡": r"$^\ddagger$", "§": r"$^\S$"}
)
_MARKUP = re.compile(r"</?u>|\*\*|`")  # of the Markdown of notes
_NOTES = "\\par\\smallskip\n\\parbox{{\\linewidth}}{{\\footnotesize\n{}}}\n"  # below the tabular, as wide as the text
_STYLES = {BEST: "textbf:--rwrap;"}


def escape(text: object) -> str:
    """Return a text as LaTeX shows it, with the signs of the tables in a form that any engine knows."""
    return str(text).translate(_SPECIAL)


def plain(text: str) -> str:
    """Return a text without the markup of Markdown."""
    return _MARKUP.sub("", text)


def comments(lines: Iterable[str]) -> str:
    """Return lines as comments of LaTeX."""
    return "\n".join(f"% {part}" for line in lines for part in line.splitlines())


def render_layout(layout: Layout) -> str:
    """Return a table environment with the notes of the layout below its rows; commands are comments after it."""
    header = layout.header
    texts = pd.DataFrame([[cell.plain for cell in row[1:]] for row in layout.rows], columns=header[1:])
    styles = pd.DataFrame([[_STYLES.get(str(cell.style), "") for cell in row[1:]] for row in layout.rows])
    texts.index = pd.Index([row[0].plain for row in layout.rows])
    texts.columns.name = header[0]  # stands over the index
    styler = texts.style.apply(lambda _: styles.to_numpy(), axis=None)
    styler.format(escape).format_index(escape, axis=0).format_index(escape, axis=1)
    styler.format_index_names(escape, axis=1)
    text = styler.to_latex(
        hrules=True,
        column_format="l" + "r" * len(texts.columns),
        caption=escape(layout.title),
        position="htbp",
        position_float="centering",
    )
    end = "\\end{table}"
    notes = "".join(f"{escape(plain(note))}\\par\n" for note in layout.notes)
    text = text.rstrip().removesuffix(end) + (_NOTES.format(notes) if notes else "") + end
    return "\n".join([text, *filter(None, [comments(layout.commands)])])
