"""Featurizers that encoders name: options of `conf/featurizer/`, or classes of plug-ins.

Worker processes call `_pack` with a plug-in's featurizer, so this module imports nothing heavy.
"""

import sys
from collections.abc import Sequence
from functools import cache, partial

from roftbench.config.plugins import PACKAGE, code_of, file_of, import_allowed, import_name, load_plugin
from roftbench.config.registry import options
from roftbench.data.featurizers.base import Featurizer, GraphKind, Packed
from roftbench.errors import check_choice


def graph_kind(name: str, plugins: tuple[str, ...] = ()) -> GraphKind:
    """Return the featurizer of a name: an option of `conf/featurizer/`, or the import path of a class of a plug-in.

    Raises:
        ValueError: there is no such option.
        UsageError: the import path leads to no featurizer, or to none of the package or a plug-in.
    """
    if "." not in name:
        check_choice("featurizer", name, _targets())
    target = _targets().get(name, name)
    found: type[Featurizer] = import_allowed(target, "featurizer", plugins, (Featurizer,))
    shipped = target.startswith(f"{PACKAGE}.")
    pack = found().pack if shipped else partial(_pack, target, file_of(target))
    return GraphKind(name, found.version, code_of(found, plugins), pack=pack)


@cache
def _targets() -> dict[str, str]:
    return {name: str(content["_target_"]) for name, content in options("featurizer").items()}


def _pack(target: str, file: str | None, smiles: Sequence[str]) -> Packed:
    """Return the packed graphs of a plug-in's featurizer, whose file a worker process has yet to import."""
    if file is not None and target.rpartition(".")[0] not in sys.modules:
        load_plugin(file)
    featurizer: Featurizer = import_name(target)()
    return featurizer.pack(smiles)
