"""Static pages: a document of text, tables and pictures as one HTML file without scripts, and as Markdown."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from roftbench.__about__ import __version__
from roftbench.formatting import markdown_text, printable, printable_name
from roftbench.report.format import markdown_table
from roftbench.report.page.templates import environment, source_hash, styles


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a soft one is a note."""

    kind: ClassVar[str] = "paragraph"
    text: str
    soft: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Findings:
    """Lines of a state ("ok", "look" or "act"), a subject and a text."""

    kind: ClassVar[str] = "findings"
    lines: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Grid:
    """A table. Columns in `left`, by default the first, hold text; others are aligned to the right.

    Attributes:
        header: Names of the columns; none for a table without a header.
        rows: Cells.
        title: Title, or "".
        left: Positions of columns of text.
        strong: Positions of rows that are emphasized.
    """

    kind: ClassVar[str] = "grid"
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    left: Sequence[int] = (0,)
    strong: Sequence[int] = ()


@dataclass(frozen=True)
class Commands:
    """Commands to be copied."""

    kind: ClassVar[str] = "commands"
    lines: Sequence[str]


@dataclass(frozen=True)
class Image:
    """A picture: its title, the stem of its file beside the Markdown, and its content."""

    kind: ClassVar[str] = "image"
    title: str
    stem: str
    svg: bytes

    @property
    def address(self) -> str:
        """An address that holds the content."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"


Block = Paragraph | Bullets | Findings | Grid | Commands | Image


@dataclass(frozen=True)
class Section:
    """A section of a page, left out without blocks."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Its name in an address."""
        return "-".join(self.title.lower().split())


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
        title: Title.
        lead: Sentences below it.
        sections: Sections in order.
        command: The command that writes it.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    command: str
    shown: list[Section] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", [one for one in self.sections if one.blocks])


def to_html(document: Document) -> str:
    """Return the page as one HTML file, which requests nothing and runs nothing."""
    style = styles("style", "document")
    return (
        environment()
        .get_template("document.html")
        .render(document=document, version=__version__, style=Markup(style), hash=Markup(source_hash(style)))
    )


def to_markdown(document: Document) -> str:
    """Return the page as Markdown, whose pictures are files beside it."""
    parts = [f"# {markdown_text(document.title)}", *map(markdown_text, document.lead)]
    for section in document.shown:
        parts.append(f"## {markdown_text(section.title)}")
        parts += [text for block in section.blocks for text in _markdown(block)]
    return printable("\n\n".join(parts)) + "\n"


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield markdown_text(block.text)
        case Bullets():
            yield "\n".join(f"- {markdown_text(item)}" for item in block.items)
        case Findings():
            yield _table(["", "", ""], block.lines)
        case Commands():
            yield "```\n" + "\n".join(map(printable_name, block.lines)) + "\n```"
        case Image():
            yield f"![{markdown_text(block.title)}]({block.stem}.svg)"
        case Grid():
            yield from [f"**{markdown_text(block.title)}**"] * bool(block.title)
            width = len(block.header) or len(block.rows[0])
            yield _table([*block.header] or [""] * width, block.rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *lines = [[markdown_text(cell) for cell in line] for line in (header, *rows)]
    return markdown_table(head, lines)
