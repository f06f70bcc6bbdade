"""An advice as a page, in HTML and Markdown, with its figures, its table of molecules to measure next, and JSON."""

import json
from collections.abc import Iterator
from pathlib import Path

from roftbench.advise.explain import reasons
from roftbench.advise.recommendation import Advice
from roftbench.advise.show import HEADER, commands, rows, to_dict
from roftbench.formatting import printable_name
from roftbench.report.figures.learning_curve import draw_learning_curve
from roftbench.report.figures.style import rendered
from roftbench.report.format import metric_name
from roftbench.report.page.document import (
    Block,
    Bullets,
    Commands,
    Document,
    Findings,
    Grid,
    Image,
    Paragraph,
    Section,
    to_html,
    to_markdown,
)
from roftbench.store.files import write_text

NEXT = "next.csv"
SHOWN = 20  # molecules to measure next that the page shows; the file has all
CURVE = "learning_curve"


def write(advice: Advice, folder: Path) -> list[Path]:
    """Write advice.html, .md and .json, the figures and next.csv into a folder, and return the files to be read."""
    page = document(advice)
    for section in page.shown:
        for block in section.blocks:
            if isinstance(block, Image):
                write_text(folder / f"{block.stem}.svg", block.svg.decode())
    paths = {name: folder / f"advice.{name}" for name in ("html", "md", "json")}
    write_text(paths["html"], to_html(page))
    write_text(paths["md"], to_markdown(page))
    write_text(paths["json"], json.dumps(to_dict(advice), indent=1, allow_nan=False) + "\n")
    if advice.next is None:
        (folder / NEXT).unlink(missing_ok=True)  # of an earlier call with a pool
        return list(paths.values())
    return [*paths.values(), advice.next.write(folder / NEXT)]


def document(advice: Advice) -> Document:
    """Return the page of an advice."""
    lines = reasons(advice)
    head = 2 if advice.ending.stopped else 1
    findings: list[Block] = [Findings([(one.state, one.subject, one.text) for one in advice.quality])]
    if advice.warnings:
        findings += [Paragraph("Warnings about the data:"), Bullets(advice.warnings)]
    setting = Paragraph(f"{metric_name(advice.metric)}, {advice.folds}.", soft=True)
    board = Grid(HEADER, rows(advice), left=(0, 1), strong=(0,))
    sections = [
        Section("Data", findings),
        Section("Leaderboard", [setting, board, Paragraph(READING, soft=True)]),
        Section("Recommendation", [Bullets(lines[head:])]),
        Section("Predictions", list(_predictions(advice))),
        Section("More labels", list(_curve(advice))),
        Section("What to measure next", list(_next(advice))),
        Section("Commands", [Commands(commands(advice))]),
    ]
    return Document(
        f"{advice.dataset}: choice of model and method",
        lines[:head],
        sections,
        f"roftbench advise dataset={advice.dataset}",
    )


READING = (
    "test: score on the test part, used once, after the choice. mean and range: over the folds that a candidate was"
    " judged on. ≈ marks candidates whose interval contains 0. s per job: seconds of the longest job."
)


def _predictions(advice: Advice) -> Iterator[Block]:
    found = list(advice.evidence.pictures())
    if found:
        yield Paragraph(
            "Each molecule is predicted by a model of the fold that was not fitted to it. The forest on fingerprints is"
            " shown beside the recommendation.",
            soft=True,
        )
    for one in found:
        if one.figure is None:
            yield Paragraph(f"No figure “{one.title}”: {one.reason}.", soft=True)
        else:
            yield Image(one.title, one.stem, rendered(one.figure, "svg"))


def _curve(advice: Advice) -> Iterator[Block]:
    curve = advice.curve
    if curve is None:
        return
    yield Paragraph(curve.words())
    if len(curve.points) > 1:
        points = [(one.molecules, one.mean, one.low, one.high) for one in curve.points]
        title = printable_name(f"Learning curve of {curve.name}")
        figure = draw_learning_curve(points, curve.line(), title, curve.metric, curve.method)
        yield Image(title, CURVE, rendered(figure, "svg"))


def _next(advice: Advice) -> Iterator[Block]:
    chosen = advice.next
    if chosen is None:
        return
    yield Paragraph(f"{chosen.words}. {NEXT} beside this page has all of them.", soft=True)
    yield Grid(chosen.header, chosen.rows[:SHOWN], left=(0, 1, *range(4, len(chosen.header))))
