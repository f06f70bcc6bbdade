"""SMILES to the inputs of models, in chunks. It runs in worker processes and so imports nothing heavy."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.hu import molecule_to_graph, pack, read_molecule
from roftbench.data.featurizers.registry import FEATURIZERS, HU
from roftbench.data.smiles import FeaturizeError, rdkit_failure

CHUNK = 1000  # rows; always cut at the same rows, so that a resumed run gives the same bits


class Molecules(NamedTuple):
    """R rows, of which K are molecules with a graph.

    Attributes:
        places: Row numbers of the molecules, [K].
        smiles: Their SMILES without names and atom maps, [K].
        graphs: Packed graphs by featurizer.
        fingerprint: Packed ECFP4 fingerprints, [K, 256] uint8.
        reasons: Why each other row has no graph, by row number.
    """

    places: list[int]
    smiles: list[str]
    graphs: dict[str, dict[str, NDArray[Any]]]
    fingerprint: NDArray[np.uint8]
    reasons: dict[int, str]


def featurized(smiles: Sequence[str], featurizers: Iterable[str], strip_salts: bool = False) -> Molecules:
    """Return rows of SMILES as inputs of models, with a reason in place of each missing graph.

    With `strip_salts` a molecule is its largest organic fragment, as in the model's data set. As in a data set, rows
    with a "hu" graph are molecules, whatever graphs a model reads.
    """
    others = sorted({*featurizers} - {HU})
    places, texts, molecules, graphs = [], [], [], []
    reasons: dict[int, str] = {}
    for place, text in enumerate(smiles):
        try:
            cell, molecule = read_molecule(text, strip_salts)
            graph = molecule_to_graph(molecule)
        except FeaturizeError as error:
            reasons[place] = "empty SMILES" if not text.strip() else str(error)
            continue
        except Exception as error:  # RDKit may raise anything; the other molecules go on
            reasons[place] = str(rdkit_failure(error))
            continue
        places.append(place)
        texts.append(cell.text)
        molecules.append(molecule)
        graphs.append(graph)
    try:
        packed = {name: FEATURIZERS[name].chunk(texts) for name in others}
    except Exception:  # one molecule failed; the others must not be lost
        return _without_failing(smiles, others, strip_salts)
    return Molecules(places, texts, {HU: pack(graphs), **packed}, fingerprints(molecules), reasons)


def _without_failing(smiles: Sequence[str], others: Sequence[str], strip_salts: bool) -> Molecules:
    """Return `featurized` without the molecules on which a featurizer fails."""
    reasons = {}
    for place, text in enumerate(smiles):
        for name in others:
            try:
                FEATURIZERS[name].chunk([text])
            except FeaturizeError:  # not a molecule: `featurized` gives the reason
                break
            except Exception as error:
                reasons[place] = f"no {name} graph: {type(error).__name__}: {error}"
    found = featurized(["" if place in reasons else text for place, text in enumerate(smiles)], others, strip_salts)
    return found._replace(reasons={**reasons, **{k: v for k, v in found.reasons.items() if k not in reasons}})
