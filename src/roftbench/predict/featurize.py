"""SMILES to the inputs of models, in chunks. It runs in worker processes and so imports nothing heavy."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.base import HU, GraphKind, pack
from roftbench.data.featurizers.hu import molecule_to_graph, read_molecule
from roftbench.data.smiles import FeaturizeError, rdkit_failure

CHUNK = 1000  # rows; always cut at the same rows, so that a resumed run gives the same bits


class Molecules(NamedTuple):
    """R rows, of which K are molecules with a graph.

    Attributes:
        places: Row numbers of the molecules, [K].
        smiles: Their SMILES without names and atom maps, [K].
        graphs: Packed graphs by the label of their featurizer.
        fingerprint: Packed ECFP4 fingerprints, [K, 256] uint8.
        reasons: Why each other row has no graph, by row number.
    """

    places: list[int]
    smiles: list[str]
    graphs: dict[str, dict[str, NDArray[Any]]]
    fingerprint: NDArray[np.uint8]
    reasons: dict[int, str]


def featurized(smiles: Sequence[str], featurizers: Iterable[GraphKind | None], strip_salts: bool = False) -> Molecules:
    """Return some rows of SMILES as models read them; a row that has no graph has a reason instead.

    With `strip_salts` a molecule is its largest organic fragment, as in the data set of such a model. As in a data set,
    the "hu" graph, which needs no featurizer (None), decides which rows are molecules, whatever graphs a model reads.
    """
    others = sorted({kind for kind in featurizers if kind is not None}, key=lambda kind: kind.label)
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
        packed = {kind.label: kind.pack(texts) for kind in others}
    except Exception:  # of one molecule: the others must not be lost with it
        return _without_failing(smiles, others, strip_salts)
    return Molecules(places, texts, {HU: pack(graphs), **packed}, fingerprints(molecules), reasons)


def _without_failing(smiles: Sequence[str], others: Sequence[GraphKind], strip_salts: bool) -> Molecules:
    """Return the same without the molecules on which a featurizer fails."""
    reasons = {}
    for place, text in enumerate(smiles):
        for kind in others:
            try:
                kind.pack([text])
            except FeaturizeError:  # no molecule at all: told below
                break
            except Exception as error:
                reasons[place] = f"no {kind.name} graph: {type(error).__name__}: {error}"
    found = featurized(["" if place in reasons else text for place, text in enumerate(smiles)], others, strip_salts)
    return found._replace(reasons={**reasons, **{k: v for k, v in found.reasons.items() if k not in reasons}})
