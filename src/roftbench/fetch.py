"""`roftbench fetch`: bring published data sets and checkpoints into the cache, for a machine without network."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from roftbench.catalog import options
from roftbench.data.spec import DatasetSpec, dataset_specs
from roftbench.errors import UsageError, suggest
from roftbench.paths import paths_of
from roftbench.progress import say
from roftbench.sources import Places, fetch

ALL = "all"


def run(overrides: Sequence[str], folder: Path | None) -> int:
    """Fetch what `dataset=` and `model=` name (all, or names with commas) and return 0, or 1 where something failed.

    Raises:
        UsageError: nothing is named, or a name that the configs do not have.
    """
    wanted = [text for text in overrides if text.partition("=")[0] in ("dataset", "model")]
    if not wanted:
        raise UsageError("say what to fetch: roftbench fetch dataset=all, or dataset=tox21,sider, or model=NAME")
    places = paths_of([text for text in overrides if text not in wanted]).places()
    specs = {name: spec for name, spec in dataset_specs(folder).items() if spec is not None}
    models = options("model", folder)
    datasets = _names(wanted, "dataset", specs)
    checkpoints = _names(wanted, "model", models)
    failed = [name for name in datasets if not _fetch_dataset(name, specs[name], places)]
    for name in checkpoints:
        _show(name, _checkpoint(models[name].get("checkpoint")))
    if failed:
        say(f"{len(failed)} of {len(datasets)} data sets could not be fetched: {', '.join(failed)}")
    return int(bool(failed))


def _names(wanted: Sequence[str], group: str, known: Iterable[str]) -> list[str]:
    known = list(known)
    names: list[str] = []
    for text in wanted:
        key, _, value = text.partition("=")
        if key == group:
            names += known if value == ALL else value.strip("[]").split(",")
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {group} '{name}'.{suggest(name, [*known, ALL])}")
    return list(dict.fromkeys(names))


def _fetch_dataset(name: str, spec: DatasetSpec, places: Places) -> bool:
    try:
        place = fetch(spec.source(), places)
    except UsageError as error:
        _show(name, f"failed: {error}")
        return False
    here = {"bundled": "bundled, nothing to fetch", "cache": "was in the cache", "mirror": "copied from the mirror"}
    _show(name, here.get(place, "downloaded"))
    return True


def _checkpoint(location: str | None) -> str:
    if location is None:
        return "random weights, nothing to fetch"
    if location.startswith("bundled:"):
        return "bundled, nothing to fetch"
    return "a file of yours (model.checkpoint=FILE), nothing to fetch"


def _show(name: str, text: str) -> None:
    say(f"{name:<16}{text}")
