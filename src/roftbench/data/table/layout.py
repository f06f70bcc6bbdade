"""How a table of text is laid out: names of columns, separator, and where the first row begins."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from roftbench.data.smiles import is_smiles
from roftbench.errors import UsageError

SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
TABBED = (".tsv", ".tab")
SMILES_FILES = (".smi", ".smiles", ".ism", ".cxsmiles")  # without a header: a SMILES and its name a line
NO_SEPARATOR = "\x1f"
SEPARATOR_LINE = re.compile(rb"sep=.\r?\n")  # the first line that spreadsheets write
BLANK_LINES = re.compile(rb"(?:[ \t]*[\r\n]+)*")
HEADER = re.compile(rb'(?:[^"\r\n]+|"[^"]*")*')
BLOCK = 1 << 16  # bytes; pyarrow wants the whole header line in one block
LINE_END = re.compile(rb"[ \t]*(\r\n|\n|\r)?")


@dataclass(frozen=True)
class Layout:
    """Layout of a table of text.

    Attributes:
        names: names of the columns.
        separator: the character between cells.
        begin: byte of the text in UTF-8 at which the first row begins.
        notes: what was guessed.
    """

    names: list[str]
    separator: str
    begin: int
    notes: list[str]


def suffix_of(file: str) -> str:
    """Return the ending of a file's name in lower case, that of compression left out."""
    return Path(file.lower().removesuffix(".gz")).suffix


def layout_of(what: str, file: str, text: bytes, *, alone: bool) -> Layout:
    """Return the layout of a text in UTF-8, given all of it or its beginning.

    Args:
        what: name of the table in messages.
        file: name of the file, whose ending decides between separators.
        text: the text, without a byte order mark.
        alone: accept a single column.

    Raises:
        UsageError: it is no table, or has no rows.
    """
    line = SEPARATOR_LINE.match(text)
    start = _end(BLANK_LINES, text, line.end() if line else 0)
    end = _end(HEADER, text, start)
    if text[end : end + 1] == b'"':
        raise UsageError(f'{what}: a quote (") in the header line is left open', key=what)
    header = text[start:end]
    if suffix_of(file) in SMILES_FILES and is_smiles(header.decode().partition(" ")[0].partition("\t")[0]):
        if not alone:
            problem = f"{what} is a list of SMILES without labels: give a table with a header line such as smiles,y"
            raise UsageError(problem, key=what)
        return Layout(["smiles"], NO_SEPARATOR, start, ["a list of SMILES without a header"])
    separator = _separator(header, suffix_of(file))
    usual = "\t" if suffix_of(file) in TABBED else ","
    names = _names(what, header, separator, alone=alone)
    if re.compile(rb"\S").search(text, end) is None:
        raise UsageError(f"{what} has no rows: there is nothing below the header {', '.join(names[:20])}", key=what)
    notes = [] if separator == usual else [f"separator {SEPARATORS[separator]}"]
    return Layout(names, separator, _end(LINE_END, text, end), notes)


def _end(pattern: re.Pattern[bytes], text: bytes, start: int) -> int:
    """Return where a pattern ends that also matches nothing."""
    return pattern.match(text, start).end()  # type: ignore[union-attr]


def _separator(header: bytes, suffix: str) -> str:
    counts = Counter(re.sub(rb'"[^"]*"', b"", header).decode())
    if suffix in TABBED and counts["\t"]:
        return "\t"
    return max(SEPARATORS, key=counts.__getitem__)  # the first one where none is there


def _names(what: str, header: bytes, separator: str, *, alone: bool) -> list[str]:
    options = pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    reading = pa.csv.ReadOptions(use_threads=False, block_size=max(len(header) + 1, BLOCK))
    try:
        names: list[str] = pa.csv.read_csv(pa.BufferReader(header + b"\n"), reading, options).column_names
    except pa.ArrowException as error:
        raise UsageError(f"{what} is not a CSV table: its header cannot be read: {error}", key=what) from None
    if len(names) == 1 and not alone:
        raise UsageError(
            f"{what} has one column only, '{names[0][:80]}', and so no label. Separate SMILES and labels by one of"
            f" {', '.join(SEPARATORS.values())}, in the header line too.",
            key=what,
        )
    return names
