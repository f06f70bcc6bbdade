"""Kinds of models and their methods: trained networks, and estimators on fingerprints or embeddings."""

from pathlib import Path

from roftbench.config.job import EMBEDDING, FINGERPRINT, NETWORK, MethodSpec, ModelSpec
from roftbench.config.plugins import import_name
from roftbench.config.registry import names, options
from roftbench.data.config import DatasetSpec
from roftbench.data.featurizers.base import OWN
from roftbench.errors import UsageError
from roftbench.methods.base import Method
from roftbench.methods.estimator import Estimator
from roftbench.models.encoder import Encoder
from roftbench.models.fingerprint import Fingerprint

KINDS: dict[str, dict[str, type]] = {
    NETWORK: {"model": Encoder, "method": Method},
    FINGERPRINT: {"model": Fingerprint, "method": Estimator},
    EMBEDDING: {"model": Encoder, "method": Estimator},
}
SHOWN = 10  # names in a message


def bases_of(group: str) -> tuple[type, ...]:
    """Return the base classes of models or methods, one per kind."""
    return tuple(kind[group] for kind in KINDS.values())


def kind_of(target: type, group: str) -> str:
    """Return the kind of a class of models or methods; it must be a subclass of one of `bases_of`."""
    return next(name for name, kind in KINDS.items() if issubclass(target, kind[group]))


def check_pair(model: ModelSpec, method: MethodSpec) -> None:
    """Raise UsageError unless the method goes with the model; an estimator also takes a network's embeddings."""
    if model.kind == FINGERPRINT and method.kind == NETWORK:
        problem = (
            f"model={model.name} is a {model.kind}, but method={method.name} is for a {method.kind}. Allowed with"
            f" model={model.name}: method={_names('method', model.kind)}. Allowed with method={method.name}:"
            f" model={_names('model', method.kind)}."
        )
        raise UsageError(problem, key="method", got=method.name)


def check_graphs(model: ModelSpec, dataset: DatasetSpec) -> None:
    """Raise UsageError unless the model reads SMILES if the data have them, and own graphs if they have none."""
    reads_own = model.featurizer is not None and model.featurizer.name == OWN
    if dataset.own_graphs is not None and not reads_own:
        problem = f"model={model.name} reads molecules from SMILES, and the graphs of {dataset.path} have none"
        hint = "Networks of PyTorch Geometric read them: model=pyg model.graphs=own model.inputs=float"
        raise UsageError(problem, key="model", got=model.name, hint=hint)
    if dataset.own_graphs is None and reads_own:
        problem = f"model.graphs=own reads graphs without SMILES, and data set {dataset.name} has SMILES"
        raise UsageError(problem, key="model.graphs", got=OWN, hint="Give model.graphs=pyg")


def check_can_be_kept(model: ModelSpec, method: MethodSpec, keep: bool | str) -> None:
    """Raise UsageError where run.keep asks for a saved model of classes that lack what it needs."""
    if not keep:
        return
    target, fingerprint = import_name(method.target), import_name(model.target)
    if issubclass(target, Estimator) and not target.can_be_kept():
        problem = f"run.keep: method {method.name} has no `arrays` or no `restored`, and so cannot be kept"
        raise UsageError(problem, key="run.keep", got=keep)
    if model.featurizer is not None and model.featurizer.name == OWN:
        problem = "run.keep: model.graphs=own reads the graphs of its data set, and could not predict from SMILES"
        raise UsageError(problem, key="run.keep", got=keep)
    if issubclass(fingerprint, Fingerprint) and fingerprint.of_smiles is Fingerprint.of_smiles:
        problem = f"run.keep: model {model.name} has no `of_smiles`, which describes new molecules"
        raise UsageError(problem, key="run.keep", got=keep)


def check_no_pretrained(what: str, name: str, folder: Path | None) -> None:
    """Raise UsageError where a name for a saved model is that of a pretrained one, which model=NAME means, too."""
    if name in names("model", folder):
        problem = f"{what}={name} is the name of a pretrained model (roftbench list models)"
        raise UsageError(problem, key=what, got=name, hint="Give another name.")


def _names(group: str, kind: str) -> str:
    """Return the names of the shipped options of a group with some kind."""
    targets = {name: import_name(content["_target_"]) for name, content in options(group).items()}
    names = [name for name, target in targets.items() if kind_of(target, group) == kind]
    return ",".join(names) if len(names) <= SHOWN else f"{','.join(names[:SHOWN])},… (see roftbench list {group}s)"
