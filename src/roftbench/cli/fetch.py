"""`roftbench fetch`: download published data sets and checkpoints into the cache, for offline use."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from roftbench.config.dataset_specs import dataset_specs
from roftbench.config.model_cards import model_cards
from roftbench.config.paths import paths_of
from roftbench.console import column, say
from roftbench.errors import UsageError
from roftbench.models.config import BUNDLED, OWN, PUBLISHED, ModelCard
from roftbench.store.downloads import Places, Source, fetch

ALL = "all"


def run(overrides: Sequence[str], folder: Path | None) -> int:
    """Fetch the data sets and models in `dataset=` and `model=` ("all", or names); returns 0, or 1 if a file failed.

    Raises:
        UsageError: nothing is named, or a name is not in the configs.
    """
    wanted = [text for text in overrides if text.partition("=")[0] in ("dataset", "model")]
    if not wanted:
        raise UsageError(
            "nothing to fetch is given: roftbench fetch dataset=all, or dataset=tox21,sider, or model=NAME",
            key="dataset",
        )
    places = paths_of([text for text in overrides if text not in wanted]).places()
    specs = {name: spec for name, spec in dataset_specs(folder).items() if spec is not None}
    cards = model_cards(folder)
    datasets = {name: specs[name].source() for name in _names(wanted, "dataset", specs, specs)}
    loaded = [name for name, card in cards.items() if card.checkpoint not in (None, OWN)]
    models = {name: _source(cards[name]) for name in _names(wanted, "model", cards, loaded)}
    width = column([*datasets, *models])
    failed = [
        _fetch_all(sources, what, width, places) for what, sources in (("data sets", datasets), ("models", models))
    ]
    return int(any(failed))


def _names(wanted: Sequence[str], group: str, known: Iterable[str], everything: Iterable[str]) -> list[str]:
    known = list(known)
    names: list[str] = []
    for text in wanted:
        key, _, value = text.partition("=")
        if key == group:
            names += everything if value == ALL else value.strip("[]").split(",")
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {group} '{name}'", key=group, got=name, allowed=[*known, ALL])
    return list(dict.fromkeys(names))


def _source(card: ModelCard) -> Source | str:
    """Return the source of a model's checkpoint, or the reason why there is nothing to fetch."""
    if card.checkpoint == PUBLISHED:
        return card.source()
    if card.checkpoint is None:
        return "no weights, nothing to fetch" if card.fingerprint else "random weights, nothing to fetch"
    if card.checkpoint.startswith(BUNDLED):
        return "bundled, nothing to fetch"
    return f"{card.own_file()} (model.checkpoint=FILE), nothing to fetch"


def _fetch_all(sources: Mapping[str, Source | str], what: str, width: int, places: Places) -> bool:
    """Fetch files, and continue if one fails; returns whether one failed."""
    failed = []
    for name, source in sources.items():
        try:
            text = source if isinstance(source, str) else _fetched(source, places)
        except UsageError as error:
            text = f"failed: {error}"
            failed.append(name)
        say(f"{name:<{width}}{text}")
    if failed:
        say(f"{len(failed)} of {len(sources)} {what} could not be fetched: {', '.join(failed)}")
    return bool(failed)


def _fetched(source: Source, places: Places) -> str:
    here = {"bundled": "bundled, nothing to fetch", "cache": "was in the cache", "mirror": "copied from the mirror"}
    return here.get(fetch(source, places), "downloaded")
