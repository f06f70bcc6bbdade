"""`roftbench list`: what there is to choose from, and the runs so far. Each list imports only what it needs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roftbench.config.registry import options
from roftbench.console import column
from roftbench.formatting import printable, printable_name

if TYPE_CHECKING:
    from roftbench.models.config import ModelCard

HIDDEN = {"name", "title", "order", "role", "quick", "summary", "_target_", "sha256", "path"}
NOT_HERE = "not here"
_ELSEWHERE = {"None": "random weights", "published": NOT_HERE}
_VERIFIED = {True: "verified", False: "not verified on the real file"}


def show_options(group: str, folder: Path | None, *, as_json: bool) -> int:
    """Print the options of a config group with their values; returns 0."""
    found = options(group, folder)
    if as_json:
        print(json.dumps(list(found.values()), indent=1))
        return 0
    width = column(found)
    for name, content in found.items():
        shown = {key: value for key, value in content.items() if key not in HIDDEN and value not in (None, {})}
        details = [f"{key}={_short(value)}" for key, value in shown.items()]
        _print_option(name, content.get("summary", ""), details, width)
    return 0


def show_datasets(overrides: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print the data sets: size, tasks, metric, license, and where on this machine each of them is; returns 0."""
    from roftbench.config.dataset_specs import dataset_specs
    from roftbench.config.paths import paths_of
    from roftbench.store.downloads import present

    places = paths_of(overrides).places()
    specs = dataset_specs(folder)
    found = {name: spec and present(spec.source(), places) for name, spec in specs.items()}
    contents = options("dataset", folder)
    if as_json:
        print(json.dumps([{**contents[name], "present": found[name]} for name in specs], indent=1))
        return 0
    width = column(specs)
    for name, spec in specs.items():
        if spec is None:
            _print_option(name, contents[name].get("summary", ""), [], width)
            continue
        size = f"{spec.rows:,} rows" if spec.rows else "size unknown"
        tasks = f"{spec.num_tasks or len(spec.targets or [])} {spec.task} task{'s' * ((spec.num_tasks or 1) > 1)}"
        metric = f"{spec.metric} ({spec.units})" if spec.units else str(spec.metric)
        details = [size, tasks, metric, found[name] or NOT_HERE, f"license: {spec.license or 'not stated'}"]
        _print_option(name, spec.summary, details, width)
    print(f"\n{NOT_HERE}: downloaded by the first run that needs it, or ahead of time by roftbench fetch dataset=NAME")
    return 0


def show_models(overrides: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print the models: size, pretraining, where on this machine the weights are, license, verified; returns 0."""
    from roftbench.config.model_cards import model_cards
    from roftbench.config.paths import paths_of
    from roftbench.models.config import OWN

    places = paths_of(overrides).places()
    cards = model_cards(folder)
    found = {name: card.present(places) for name, card in cards.items()}
    if as_json:
        contents = options("model", folder)
        print(json.dumps([{**contents[name], "present": found[name]} for name in cards], indent=1))
        return 0
    width = column(cards)
    for name, card in cards.items():
        details = [f"{card.parameters:,} parameters"] if card.parameters is not None else []
        if card.fingerprint:
            details += ["no checkpoint, needs no GPU"]
        else:
            details += [_pretraining(card), found[name] or _ELSEWHERE.get(str(card.checkpoint), card.own_file())]
        details += [f"license: {card.license}"] if card.license else []
        details += [_VERIFIED[card.verified]] if card.verified is not None else []
        _print_option(name, card.summary, details if card.checkpoint != OWN or card.pretraining_data else [], width)
        if card.note:
            print(printable(f"{'':<{width}}{card.note}"))
    print(f"\n{NOT_HERE}: downloaded by the first run that needs it, or ahead of time by roftbench fetch model=NAME")
    return 0


def show_runs(results: Path, *, as_json: bool) -> int:
    """Print one line a finished, failed or skipped job; returns 0."""
    from roftbench.report.records import each_record
    from roftbench.report.runs import run_rows
    from roftbench.store.results import Store

    store = Store(results)
    rows = run_rows(each_record(store))
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    if not rows:
        print(f"no runs under {printable(store.root)}; start with: roftbench run method=roftmol dataset=esol")
        return 0
    columns = list(rows[0])
    texts = [columns, *(["–" if row[name] is None else printable_name(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(columns))]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _pretraining(card: "ModelCard") -> str:
    from roftbench.models.config import PRETRAINING

    if card.pretraining == "none":
        return "no pretraining"
    return f"{PRETRAINING[card.pretraining]} pretraining: {card.pretraining_data or 'data not stated'}"


def _print_option(name: str, summary: str, details: Sequence[str], width: int) -> None:
    print(printable(f"{name:<{width}}{summary}"))
    if details:
        print(printable(f"{'':<{width}}{'  '.join(details)}"))


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
