"""Molecules made from others by plain chemical edits: parts, ions, substituents, joined molecules.

Collections of purchasable molecules have hardly any charges, heavy halogens, boron or phosphorus, and few molecules of
the size of late drug candidates. An edit need not give a stable compound; it must give a valid graph.
"""

from collections.abc import Callable
from random import Random

from rdkit import Chem, rdBase

# Each is attached by its first atom.
GROUPS = (
    "C(=O)O", "C(=O)[O-]", "C(=O)OC", "[N+](=O)[O-]", "I", "I", "Br", "Br", "Cl", "F", "C(F)(F)F", "B(O)O", "B1OCCO1",
    "[B-](F)(F)F", "P(=O)(O)O", "P(=O)(OC)OC", "OP(=O)(O)O", "OP(=O)([O-])[O-]", "P(C)C", "OP(=S)(OC)OC", "[Si](C)(C)C",
    "O[Si](C)(C)C", "[Se]C", "[SeH]", "S", "SC", "[S-]", "S(=O)(=O)O", "S(=O)(=O)[O-]", "S(C)=O", "C(=S)N", "N=C=S",
    "C[N+](C)(C)C", "C[P+](C)(C)C", "C[S+](C)C", "C(N)=[NH2+]", "N=[N+]=[N-]", "[N+]#N", "[N+]#[C-]", "N=O", "NN", "OO",
    "C=C", "C#C", "C#N", "C=O", "C(=O)Cl", "O", "[O-]", "N", "[NH3+]", "N(C)C", "N=C(N)N", "C=NO", "OC(N)=O",
    "CCCCCCCC",
)  # fmt: skip
AMINE, PYRIDINE = Chem.MolFromSmarts("[NX3;+0;!$(N~[!$([CX4])])]"), Chem.MolFromSmarts("[nX2;+0]")
ACID, HALOGEN = Chem.MolFromSmarts("[OX2H1;$(O-[C,S,P]=O)]"), Chem.MolFromSmarts("[F,Cl,Br,I;D1]")
CARBONYL = Chem.MolFromSmarts("[O;D1;+0;$(O=C)]")


def fragments(molecule: Chem.Mol, random: Random) -> list[str]:
    """Cut one acyclic single bond at random; returns the SMILES of both parts, capped with hydrogens.

    Drug-like molecules alone would teach nothing about small ones.
    """
    cuts = [bond.GetIdx() for bond in molecule.GetBonds() if not bond.IsInRing() and bond.GetBondTypeAsDouble() == 1]
    if not cuts:
        return []
    parts = Chem.FragmentOnBonds(molecule, [random.choice(cuts)], addDummies=False)
    return str(Chem.MolToSmiles(parts)).split(".")


def edited(molecule: Chem.Mol, random: Random) -> list[str]:
    """Return the SMILES of the molecule after one to three random edits, or nothing if none could be made."""
    found: list[str] = []
    for edit in random.choices(EDITS, weights=WEIGHTS, k=random.randint(1, 3)):
        changed = edit(molecule, random)
        if changed is not None:
            molecule, found = changed, [Chem.MolToSmiles(changed)]
    return found


def joined(one: Chem.Mol, other: Chem.Mol, random: Random) -> list[str]:
    """Return the SMILES of two molecules with a new bond between a carbon and a carbon or amine nitrogen, if any."""
    second = _hydrogen_bearing(other, ("C", "N"))
    product = _attached(one, other, random.choice(second), random) if second else None
    return [] if product is None else [Chem.MolToSmiles(product)]


def _hydrogen_bearing(molecule: Chem.Mol, symbols: tuple[str, ...]) -> list[int]:
    """Return atoms of these elements with an implicit hydrogen to replace, without charge or stereochemistry."""
    return [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetSymbol() in symbols
        and atom.GetTotalNumHs() > atom.GetNumExplicitHs() == 0 == atom.GetFormalCharge()
        and atom.GetChiralTag() == Chem.ChiralType.CHI_UNSPECIFIED
    ]


def _attached(molecule: Chem.Mol, group: Chem.Mol, atom: int, random: Random) -> Chem.Mol | None:
    """Return the molecule with a bond from one of its carbons to an atom of the group."""
    places = _hydrogen_bearing(molecule, ("C",))
    if not places:
        return None
    whole = Chem.RWMol(Chem.CombineMols(molecule, group))
    whole.AddBond(random.choice(places), molecule.GetNumAtoms() + atom, Chem.BondType.SINGLE)
    return _checked(whole)


def _checked(molecule: Chem.RWMol) -> Chem.Mol | None:
    """Return the molecule, read again from its SMILES; None if it is not valid."""
    with rdBase.BlockLogs():
        try:
            return Chem.MolFromSmiles(Chem.MolToSmiles(molecule))
        except (RuntimeError, ValueError):
            return None


def _pick(molecule: Chem.Mol, pattern: Chem.Mol, random: Random) -> int | None:
    """Return a random atom that matches the pattern."""
    found = molecule.GetSubstructMatches(pattern)
    return random.choice(found)[0] if found else None


def _substituent(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Replace a hydrogen of a carbon by one of GROUPS."""
    group = Chem.MolFromSmiles(random.choice(GROUPS), sanitize=False)
    return _attached(molecule, group, 0, random)


def _on_nitrogen(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Protonate, methylate or oxidize an amine or a pyridine-like nitrogen: charge +1."""
    pyridine = random.random() < 0.5
    atom = _pick(molecule, PYRIDINE if pyridine else AMINE, random)
    if atom is None:
        return None
    whole = Chem.RWMol(molecule)
    nitrogen, kind = whole.GetAtomWithIdx(atom), random.randrange(4)
    nitrogen.SetFormalCharge(1)
    if kind < 2:
        nitrogen.SetNumExplicitHs(nitrogen.GetTotalNumHs() + 1)
        nitrogen.SetNoImplicit(True)
        return _checked(whole)
    added = whole.AddAtom(Chem.Atom("C" if kind == 2 else "O"))
    if kind == 3:
        whole.GetAtomWithIdx(added).SetFormalCharge(-1)
    whole.AddBond(atom, added, Chem.BondType.SINGLE)
    return _checked(whole)


def _deprotonated(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Remove the proton of an acid."""
    return _with_atom(molecule, ACID, random, charge=-1)


def _other_halogen(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Replace a halogen by another, most often by a heavier one."""
    return _with_atom(molecule, HALOGEN, random, number=random.choice((9, 17, 35, 35, 53, 53, 53)))


def _thiocarbonyl(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Replace the oxygen of a carbonyl group by sulfur."""
    return _with_atom(molecule, CARBONYL, random, number=16)


def _with_atom(
    molecule: Chem.Mol, pattern: Chem.Mol, random: Random, number: int | None = None, charge: int = 0
) -> Chem.Mol | None:
    """Return the molecule with another element or charge at a random atom that matches the pattern."""
    atom = _pick(molecule, pattern, random)
    if atom is None:
        return None
    whole = Chem.RWMol(molecule)
    changed = whole.GetAtomWithIdx(atom)
    changed.SetAtomicNum(number or changed.GetAtomicNum())
    changed.SetFormalCharge(charge)
    return _checked(whole)


def _stereo(molecule: Chem.Mol, random: Random) -> Chem.Mol | None:
    """Choose a configuration of every unspecified stereocenter and double bond."""
    whole = Chem.RWMol(molecule)
    found = Chem.FindPotentialStereo(whole)
    unspecified = [element for element in found if element.specified == Chem.StereoSpecified.Unspecified]
    if not unspecified:
        return None
    for element in unspecified:
        second = random.random() < 0.5
        if element.type == Chem.StereoType.Atom_Tetrahedral:
            tag = Chem.ChiralType.CHI_TETRAHEDRAL_CW if second else Chem.ChiralType.CHI_TETRAHEDRAL_CCW
            whole.GetAtomWithIdx(element.centeredOn).SetChiralTag(tag)
        elif element.type == Chem.StereoType.Bond_Double:
            around = list(element.controllingAtoms)  # hydrogens have numbers beyond the atoms
            ends = [[atom for atom in side if atom < whole.GetNumAtoms()] for side in (around[:2], around[2:])]
            if all(ends):
                bond = whole.GetBondWithIdx(element.centeredOn)
                bond.SetStereoAtoms(ends[0][0], ends[1][0])
                bond.SetStereo(Chem.BondStereo.STEREOCIS if second else Chem.BondStereo.STEREOTRANS)
    return _checked(whole)


EDITS: tuple[Callable[[Chem.Mol, Random], Chem.Mol | None], ...] = (
    _substituent, _on_nitrogen, _deprotonated, _other_halogen, _thiocarbonyl, _stereo,
)  # fmt: skip
WEIGHTS = (8, 6, 3, 3, 1, 5)
