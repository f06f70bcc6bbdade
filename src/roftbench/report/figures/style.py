"""What all figures share: the look of each method, the style, and files that are the same whenever they are drawn.

    appearance(method) -> Appearance          color, marker and line of a method, the same in every figure
    write_figure(figure, stem) -> [Path]      stem.svg and stem.pdf

Matplotlib is imported when a figure is drawn, and without pyplot: no window, no figure that stays behind.
"""

import io
import re
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roftbench.config.method_cards import method_cards, proposed
from roftbench.methods.config import BASELINE
from roftbench.report.format import baselines, methods
from roftbench.store.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOFT = "#707070"  # of notes and guide lines
# Of methods without their own. Those of the paper's nine, in conf/method/, are told apart with normal sight and without
# red, green or blue cones (CIE76 distance of any two at least 19, after Machado et al. 2009), and by markers in gray.
_OTHER_COLORS = ("#00798c", "#a02c4a", "#5f6b1f", "#8c8c8c")
_BASELINES = (
    ("#9a9a9a", ":"),
    ("#000000", ":"),
    ("#000000", "-."),
    ("#000000", "--"),
    ("#9a9a9a", "--"),
    ("#9a9a9a", "-."),
)
_STYLE: Any = {  # a dictionary, in whose keys Matplotlib's types are stricter than its documentation
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",  # text stays text: small, searchable, restyled by a page; DejaVu Sans, or what is there
    "svg.hashsalt": "roftbench",  # ids that are the same in every run
    "pdf.fonttype": 42,
}
_NO_DATES: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True)
class Appearance:
    """Matplotlib's color, marker, line style and line width of a method in all figures."""

    color: str
    marker: str
    linestyle: str
    linewidth: float


def appearance(method: str) -> Appearance:
    """Return the appearance of a method: color and marker of its config; what that leaves out follows from its place.

    A method with its own marker has a solid line, as the paper's nine, and any other a dashed one; ROFT-MOL's is the
    widest. A baseline's is black or gray, and broken. Without a config, color and marker are derived from the name.
    """
    cards = method_cards()
    card = cards.get(method)
    if card is not None and card.role == BASELINE:
        color, linestyle = _BASELINES[baselines().index(method) % len(_BASELINES)]
        return Appearance(card.color or color, card.marker, linestyle, 1.4)
    own_color, own_marker = ("", "") if card is None else (card.color, card.marker)
    unmarked = [name for name in methods() if not cards[name].marker]
    number = unmarked.index(method) if method in unmarked else zlib.crc32(method.encode())
    color = own_color or _OTHER_COLORS[number % len(_OTHER_COLORS)]
    if own_marker:
        return Appearance(color, own_marker, "-", 2.2 if method == proposed() else 1.2)
    return Appearance(color, "<>hdH"[number // len(_OTHER_COLORS) % 5], "--", 1.2)


@contextmanager
def style() -> Iterator[None]:
    """Apply the style of all figures inside the block, whatever the user's settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def headings(figure: "Figure", title: str, note: str, size: float = 8) -> None:
    """Write a title and a note below it at the top of a figure; `size`: that of the note."""
    width, height = figure.get_size_inches()
    figure.suptitle(title, x=0.08 / width, y=1 - 0.08 / height, ha="left", va="top", fontsize=11)
    figure.text(0.08 / width, 1 - 0.31 / height, note, ha="left", va="top", color=SOFT, fontsize=size)


def write_figure(figure: "Figure", stem: Path) -> list[Path]:
    """Write stem.svg and stem.pdf, each replaced as a whole; returns their paths."""
    paths = {form: stem.with_name(f"{stem.name}.{form}") for form in _NO_DATES}
    for form, path in paths.items():
        with atomic(path) as temporary:
            temporary.write_bytes(rendered(figure, form))
    return list(paths.values())


def file_stem(*parts: str) -> str:
    """Return a file name of these parts that is valid on every file system."""
    return "_".join(re.sub(r"[^\w.=-]+", "_", part).strip("_") for part in parts)


def remove_others(folder: Path, kinds: Iterable[str], drawn: Container[str]) -> None:
    """Remove the files of an earlier call's figures of some kinds (prefixes) whose stems are not in `drawn`."""
    for kind in kinds:
        for path in sorted(folder.glob(f"{kind}_*")):
            if path.suffix in (".svg", ".pdf") and path.stem not in drawn:
                path.unlink()


def rendered(figure: "Figure", form: str) -> bytes:
    """Return the content of a figure's file, "svg" or "pdf"."""
    buffer = io.BytesIO()
    with style():
        title = {"Title": figure.get_label()} if figure.get_label() else {}
        figure.savefig(buffer, format=form, dpi=150, metadata={**_NO_DATES[form], **title})
    return buffer.getvalue()
