"""Cells of SMILES columns: SMILES, names and CXSMILES extensions after a blank, atom maps, counter-ions.

A cell is interpreted completely or refused with a reason. This module runs in worker processes, so it imports nothing
heavy.
"""

import re
import unicodedata
from typing import NamedTuple

from rdkit import Chem, rdBase

from roftbench.errors import first_line

MAX_ATOMS = 2000  # RDKit's recursive writer of SMILES overflows the stack at 20,000; scaffolds take minutes at 3,000
MAX_RINGS = 500  # RDKit's search of rings takes minutes for a network of 1,500
MAX_TEXT = 50 * MAX_ATOMS
BLANKS = " \t\r\n"  # may surround a SMILES; other characters outside printable ASCII are refused
_PLAIN = re.compile(r"[!-9;-~]*")  # printable, without blanks and without the colon of an atom map
_FOREIGN = re.compile(r"[^ -~\t]")
ATOM_MAP = re.compile(r":[0-9]+(?=\])")
_JOINING = ("+", ".", ">", ">>")  # words between parts of a mixture or reaction
_CLOSURE = re.compile(r"%\(\d+\)|%\d\d|\d")  # of a ring, outside brackets
_BRACKETS = re.compile(r"\[[^\]]*\]")
_ATOM = re.compile(r"\[[^\]]*\]|Cl|Br|[BCNOPSFIbcnops*]")


class FeaturizeError(ValueError):
    """A SMILES has no graph; the message is the reason in the list of dropped rows."""


class Cell(NamedTuple):
    """Content of a cell: its SMILES with CXSMILES extension, without name and atom maps, and what else was in it."""

    text: str
    named: bool = False
    extended: bool = False
    mapped: bool = False
    stripped: bool = False  # of counter-ions


def read_cell(cell: str) -> Cell:
    """Return the content of a SMILES cell.

    Raises:
        FeaturizeError: it holds a character that no SMILES has, more atoms than RDKit can handle, or a blank that is
            followed by more SMILES.
    """
    text = cell.strip(BLANKS)
    if len(text) <= MAX_ATOMS and _PLAIN.fullmatch(text):
        return Cell(text)
    _check_characters(text)
    _check_size(text)
    head, _, rest = text.replace("\t", " ").partition(" ")
    extension, name = _extension(rest.strip(BLANKS))
    if name and _is_more_smiles(head, name):
        raise FeaturizeError(
            f"blank within the SMILES: what follows it, {name[:40]!r}, is SMILES, too. Remove the blank, or put a name"
            " into a column of its own"
        )
    plain = ATOM_MAP.sub("", head)
    return Cell(f"{plain} {extension}".rstrip(), bool(name), bool(extension), plain != head)


def molecule_of(cell: Cell) -> Chem.Mol:
    """Return RDKit's molecule for a cell, without atom maps.

    Raises:
        FeaturizeError: RDKit cannot parse or sanitize it, or it holds no atom.
    """
    with rdBase.BlockLogs():
        try:
            molecule: Chem.Mol | None = Chem.MolFromSmiles(cell.text)
            if molecule is None:
                raise FeaturizeError(_why_unparsable(cell.text))
        except (RuntimeError, ValueError, OverflowError) as error:
            raise error if isinstance(error, FeaturizeError) else rdkit_failure(error) from None
    if molecule.GetNumAtoms() == 0:
        raise FeaturizeError("empty SMILES")
    if cell.extended:  # which may hold atom maps of its own
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
    return molecule


def rdkit_failure(error: Exception) -> FeaturizeError:
    """Return the reason of a molecule on which RDKit raises an unexpected error."""
    return FeaturizeError(f"RDKit fails: {first_line(error)}")


def is_smiles(text: str) -> bool:
    """Return whether a text is the SMILES of a molecule."""
    try:
        cell = read_cell(text)
        with rdBase.BlockLogs():
            return bool(cell.text) and Chem.MolFromSmiles(cell.text) is not None
    except (FeaturizeError, RuntimeError, ValueError, OverflowError):
        return False


def shortened(text: str, length: int = 120) -> str:
    """Return a text, or if it is long its beginning and its length."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text):,} characters)"


def without_salts(cell: Cell) -> Cell:
    """Return a cell with its largest organic fragment alone, as chosen by RDKit's standardizer.

    The fragment keeps its spelling in the cell unless fragments share ring-closure digits or an extension; then it is
    RDKit's. Raises as `molecule_of` does.
    """
    if "." not in cell.text:
        return cell
    from rdkit.Chem.MolStandardize import rdMolStandardize  # takes a while to import

    whole = molecule_of(cell)
    if len(Chem.GetMolFrags(whole)) == 1:
        return cell
    with rdBase.BlockLogs():
        chosen = Chem.MolToSmiles(rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(whole))
        for piece in [] if cell.extended else cell.text.split("."):
            alone = Chem.MolFromSmiles(piece)
            if alone is not None and Chem.MolToSmiles(alone) == chosen:
                return cell._replace(text=piece)
    return cell._replace(text=chosen)


def _check_characters(text: str) -> None:
    if found := _FOREIGN.search(text):
        character = found[0]
        if character in "\r\n":
            raise FeaturizeError("a SMILES is one line")  # RDKit would read the first
        name = unicodedata.name(character, "control character").lower()
        raise FeaturizeError(f"U+{ord(character):04X} ({name}) at character {found.start() + 1}: no SMILES holds it")


def _check_size(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise FeaturizeError(f"{len(text):,} characters: at most {MAX_TEXT:,} are read as a SMILES")
    if len(text) > MAX_ATOMS and (atoms := len(_ATOM.findall(text.split(" ", 1)[0]))) > MAX_ATOMS:
        raise FeaturizeError(f"{atoms:,} atoms: molecules of at most {MAX_ATOMS:,} atoms are handled")
    if len(text) > 2 * MAX_RINGS:
        rings = len(_CLOSURE.findall(_BRACKETS.sub("", text.split(" ", 1)[0]))) // 2
        if rings > MAX_RINGS:
            raise FeaturizeError(f"{rings:,} ring closures: molecules of at most {MAX_RINGS} rings are handled")


def _extension(rest: str) -> tuple[str, str]:
    """Return the CXSMILES extension, with its bars, and the name that follow a blank."""
    if not rest.startswith("|"):
        return "", rest
    end = rest.find("|", 1)
    if end < 0:
        raise FeaturizeError("the CXSMILES extension that begins with '|' is never closed")
    return rest[: end + 1], rest[end + 1 :].strip(BLANKS)


def _is_more_smiles(head: str, name: str) -> bool:
    """Return whether a name or its first word is SMILES, alone or joined to the SMILES before it, or a later word is.

    A later word may be "C" or "I" in a name; with a bond, a branch or a bracket it is no name.
    """
    first, *others = name.split()
    if first in _JOINING or first.startswith((")", "=")):
        return True
    pieces = {first, "".join([first, *others])}
    alone = [word for word in others if set(word) & set("=#([@")]
    with rdBase.BlockLogs():
        return any(
            Chem.MolFromSmiles(text, sanitize=False) is not None
            for text in (*pieces, *(head + piece for piece in pieces), *alone)
        )


def _why_unparsable(text: str) -> str:
    """Return the first problem that RDKit finds, with its log blocked by the caller."""
    raw: Chem.Mol | None = Chem.MolFromSmiles(text, sanitize=False)
    if raw is None:
        return "RDKit cannot parse the SMILES"
    problems = Chem.DetectChemistryProblems(raw)
    return f"RDKit: {problems[0].Message()}" if problems else "RDKit cannot sanitise the molecule"
