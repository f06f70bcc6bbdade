"""A molecule whose atoms are colored by their contributions, as one self-contained SVG."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from roftbench.data.featurizers.base import atoms_of
from roftbench.data.featurizers.hu import parse_smiles

WIDTH, HEIGHT, HEAD, FOOT = 520, 360, 52, 66
# Blue and orange differ for all common kinds of color blindness; black symbols are legible on both.
LOW, HIGH = (0.36, 0.61, 0.84), (0.95, 0.56, 0.17)
LONGEST = 66  # characters of a line that fit
NUMBERED, VISIBLE = 6, 0.1  # atoms with the largest contributions have their number, down to a tenth of the largest
MOST_ATOMS = 300
CAUTION = "Contributions describe the model, not the molecule: they are no effect of changing an atom."

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Drawing:
    """A drawing of a molecule: its contributions [N], and lines above it."""

    smiles: str
    contributions: NDArray[np.float64]
    lines: Sequence[str]

    @property
    def largest(self) -> float:
        """Largest absolute contribution, which has the full color."""
        return float(np.abs(self.contributions).max(initial=0.0))

    def svg(self) -> str:
        """Return the SVG; a molecule of more than 300 atoms is only named."""
        title = f"Contributions of atoms to {self.lines[0]}"
        size = HEAD + HEIGHT + FOOT
        head = "".join(
            f'<text x="12" y="{20 + 20 * place}" font-size="{15 - 2 * place}">{_text(_cut(line))}</text>\n'
            for place, line in enumerate(self.lines)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{size}" viewBox="0 0 {WIDTH} {size}"'
            f' role="img" font-family="sans-serif">\n<title>{_text(title)}</title>\n'
            f"<desc>{_text(f'{self.smiles}. {self._described()} {CAUTION}')}</desc>\n"
            f'<rect width="{WIDTH}" height="{size}" fill="#ffffff"/>\n{head}{self._molecule()}{self._legend()}</svg>\n'
        )

    def _described(self) -> str:
        """Return the numbers on the drawing in words, for readers who do not see it."""
        elements = [atom.GetSymbol() for atom in atoms_of(parse_smiles(self.smiles))]
        numbers = [f"{elements[i]}{i} {self.contributions[i]:+.2g}" for i in self._numbered()]
        return f"Largest contributions by element and index: {', '.join(numbers) or 'none'}."

    def _numbered(self) -> list[int]:
        order = np.argsort(-np.abs(self.contributions), kind="stable")[:NUMBERED]
        return [int(i) for i in order if np.abs(self.contributions[i]) > VISIBLE * self.largest]

    def _molecule(self) -> str:
        molecule = parse_smiles(self.smiles)
        if molecule.GetNumAtoms() > MOST_ATOMS:
            text = f"{molecule.GetNumAtoms():,} atoms: too many to be drawn"
            return f'<text x="12" y="{HEAD + 30}" font-size="13">{text}</text>\n'
        colors = {i: _color(value, self.largest) for i, value in enumerate(self.contributions.tolist())}
        for i in self._numbered():
            molecule.GetAtomWithIdx(i).SetProp("atomNote", f"{self.contributions[i]:+.2g}")
        canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
        options: Any = canvas.drawOptions()
        options.useBWAtomPalette()
        options.atomHighlightsAreCircles = True
        options.highlightRadius = 0.4
        options.annotationFontScale = 0.6
        options.clearBackground = False
        with rdBase.BlockLogs():
            canvas.DrawMolecule(
                _prepared(molecule), highlightAtoms=list(colors), highlightAtomColors=colors, highlightBonds=[]
            )
        canvas.FinishDrawing()
        inner = re.sub(r"^.*?<svg\b[^>]*>", "", canvas.GetDrawingText(), count=1, flags=re.DOTALL)
        return f'<svg y="{HEAD}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">{inner.strip()}\n'

    def _legend(self) -> str:
        top, left, right = HEAD + HEIGHT + 12, 130, WIDTH - 130
        stops = "".join(
            f'<stop offset="{share}" stop-color="{_hex(_color(2 * share - 1, 1))}"/>' for share in (0, 0.5, 1)
        )
        number = f"{self.largest:.2g}"
        return (
            f'<defs><linearGradient id="scale">{stops}</linearGradient></defs>\n'
            f'<rect x="{left}" y="{top}" width="{right - left}" height="12" fill="url(#scale)" stroke="#707070"/>\n'
            f'<text x="{left - 8}" y="{top + 11}" font-size="12" text-anchor="end">lowers −{number}</text>\n'
            f'<text x="{WIDTH // 2}" y="{top + 26}" font-size="12" text-anchor="middle">0</text>\n'
            f'<text x="{right + 8}" y="{top + 11}" font-size="12">+{number} raises</text>\n'
            f'<text x="{WIDTH // 2}" y="{top + 44}" font-size="11" fill="#505050" text-anchor="middle">{CAUTION}'
            "</text>\n"
        )


def _prepared(molecule: Chem.Mol) -> Chem.Mol:
    """Return the molecule with coordinates; aromatic where RDKit cannot find its double bonds."""
    try:
        return rdMolDraw2D.PrepareMolForDrawing(molecule)
    except (ValueError, RuntimeError):
        return rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=False)


def _color(value: float, largest: float) -> Color:
    """Return the color between white and the ends of the scale."""
    share = 0.0 if largest == 0 else min(abs(value) / largest, 1.0)
    end = HIGH if value > 0 else LOW
    red, green, blue = (1 - share * (1 - part) for part in end)
    return red, green, blue


def _hex(color: Color) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def _cut(line: str) -> str:
    """Return a line, or the beginning and the end of a longer one."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 + 3 :]}"


def _text(text: str) -> str:
    """Return text for XML, which holds no control characters."""
    return escape("".join(character if character.isprintable() else "�" for character in text))
