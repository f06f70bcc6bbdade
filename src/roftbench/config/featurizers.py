"""Featurizers that encoders name: options of `conf/featurizer/`, or classes of plug-ins.

Worker processes call `_pack` with a plug-in's featurizer, so this module imports nothing heavy.
"""

import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from roftbench.config.plugins import PACKAGE, code_of, file_of, import_allowed, import_name, load_plugin
from roftbench.config.registry import options
from roftbench.config.stable_names import present_path, stable_name
from roftbench.data.featurizers.base import OWN, Featurizer, GraphKind, Packed
from roftbench.errors import UsageError, check_choice


def graph_kind(
    name: str, plugins: tuple[str, ...] = (), folder: Path | None = None, target: str | None = None
) -> GraphKind:
    """Return the featurizer of a name: an option of `conf/featurizer/`, or the import path of a class of a plug-in.

    Args:
        name: the name.
        plugins: module names of the plug-ins.
        folder: the user's config folder, whose options come first.
        target: `GraphKind.target` of a saved model, which needs no config folder.

    Raises:
        UsageError: there is no such option, or the import path leads to no featurizer, or to none of the package or a
            plug-in.
    """
    if name == OWN:
        return GraphKind(OWN, 1, pack=_without_smiles)
    shipped = _shipped().get(name, name)
    if target is None:
        known = _shipped() if folder is None else {**_shipped(), **_targets(folder)}
        if "." not in name:
            check_choice("featurizer", name, known)
        target = known.get(name, name)
    else:
        target = present_path(target)
    found: type[Featurizer] = import_allowed(target, "featurizer", plugins, (Featurizer,))
    ours = found() if target.startswith(f"{PACKAGE}.") else None
    pack = partial(_pack, target, file_of(target)) if ours is None else ours.pack
    own = None if target == shipped else stable_name(target)
    return GraphKind(
        name, found.version, code_of(found, plugins), own, pack=pack, order=None if ours is None else ours.order
    )


@cache
def _shipped() -> dict[str, str]:
    return _targets(None)


def _targets(folder: Path | None) -> dict[str, str]:
    found = options("featurizer", folder)
    if lacking := [name for name, content in found.items() if not isinstance(content.get("_target_"), str)]:
        problem = f"featurizer/{lacking[0]}.yaml has no _target_, the import path of its class"
        raise UsageError(problem, key="featurizer", got=lacking[0])
    return {name: content["_target_"] for name, content in found.items()}


def _without_smiles(smiles: Sequence[str]) -> Packed:
    """Raise UsageError: graphs of a file without SMILES are not made from SMILES."""
    raise UsageError(
        "model.graphs=own reads the graphs of its data set, and makes none from SMILES", key="model.graphs"
    )


def _pack(target: str, file: str | None, smiles: Sequence[str]) -> Packed:
    """Return the packed graphs of a plug-in's featurizer, whose file a worker process has yet to import."""
    if file is not None and target.rpartition(".")[0] not in sys.modules:
        load_plugin(file)
    featurizer: Featurizer = import_name(target)()
    return featurizer.pack(smiles)
