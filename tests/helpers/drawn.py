"""What a figure really shows, after it was laid out."""

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from roftbench.report.figures.style import rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg(figure: "Figure") -> str:
    """Return a figure's SVG file."""
    return rendered(figure, "svg").decode("utf-8")


def texts_outside(figure: "Figure") -> list[str]:
    """The texts that are cut off at the figure's edge."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    page = figure.bbox
    outside = []
    for text in figure.findobj(Text):
        box = text.get_window_extent(canvas.get_renderer())  # type: ignore[no-untyped-call]
        seen = text.get_visible() and text.get_text()
        if seen and not (box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1):
            outside.append(text.get_text())
    return outside
