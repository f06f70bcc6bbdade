"""`roftbench list`: options of the config groups, and the runs so far. Each list imports only what it needs."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from roftbench.config.registry import options
from roftbench.console import column, terminal_width, wrapped
from roftbench.errors import UsageError, check_range
from roftbench.formatting import cut, printable, printable_name, score_text
from roftbench.methods.config import DISPLAY

if TYPE_CHECKING:
    from roftbench.models.config import ModelCard

HIDDEN = {"name", *DISPLAY, "quick", "summary", "_target_", "sha256", "path"} - {"family"}
NOT_HERE = "not here"
FETCHED = "downloaded by the first run that needs it, or ahead of time by roftbench fetch"
Value = TypeVar("Value")
_ELSEWHERE = {"None": "random weights", "published": NOT_HERE}
_VERIFIED = {True: "verified", False: "not verified on the real file"}


def show_options(group: str, names: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print the options of a config group, or those with some names, with their values; returns 0."""
    found = _named(group, options(group, folder), names)
    if as_json:
        print(json.dumps(list(found.values()), indent=1))
        return 0
    width = column(found)
    for name, content in found.items():
        shown = {key: value for key, value in content.items() if key not in HIDDEN and value not in (None, {})}
        details = [f"{key}={_short(value)}" for key, value in shown.items()]
        _print_option(name, content.get("summary", ""), details, width)
    return 0


def show_datasets(names: Sequence[str], overrides: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print data sets: size, tasks, metric, license, and where on this machine each of them is; returns 0."""
    from roftbench.config.dataset_specs import dataset_specs
    from roftbench.config.paths import paths_of
    from roftbench.store.downloads import present

    places = paths_of(overrides).places()
    specs = _named("dataset", dataset_specs(folder), names)
    found = {name: spec and present(spec.source(), places) for name, spec in specs.items()}
    contents = options("dataset", folder)
    if as_json:
        print(json.dumps([{**contents[name], "name": name, "present": found[name]} for name in specs], indent=1))
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
    print(f"\n{NOT_HERE}: {FETCHED} dataset=NAME")
    return 0


def show_models(names: Sequence[str], overrides: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print one line per model, or the details of the models with some names; returns 0.

    Details are size, pretraining, where on this machine the weights are, license, and whether they are verified.
    """
    from roftbench.config.model_cards import model_cards
    from roftbench.config.paths import paths_of

    places = paths_of(overrides).places()
    cards = _named("model", model_cards(folder), names)
    found = {name: card.present(places) for name, card in cards.items()}
    if as_json:
        contents = options("model", folder)
        print(json.dumps([{**contents[name], "present": found[name]} for name in cards], indent=1))
        return 0
    width = column(cards)
    if names:
        for name, card in cards.items():
            _print_option(name, card.summary, [], width)
            notes = [card.note] if card.note else []
            for text in [*_model_details(card, found[name]), *notes]:
                print(wrapped(printable(f"{'':<{width}}{text}"), sys.stdout))
        return 0
    for name, card in cards.items():
        size = "" if card.parameters is None else f"{card.parameters:,}"
        line = f"{name:<{width}}{size:>11}  {_weights(card, found[name]):<9}  {card.summary}"
        print(cut(printable_name(line), terminal_width()))
    print(f"\nDetails of a model: roftbench list models NAME\n{NOT_HERE}: {FETCHED} model=NAME")
    return 0


def show_runs(results: Path, words: Sequence[str], last: int | None, *, as_json: bool) -> int:
    """Print one line per finished, failed or skipped job that passes the filters, the newest last; returns 0."""
    from roftbench.report.query import Request
    from roftbench.report.runs import dated_rows
    from roftbench.store.results import Store

    request, _ = Request.parse(words)
    if last is not None:
        check_range("--last", last, 1)
    store = Store(results)
    rows = dated_rows(store, request)[-(last or 0) :]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    if not rows and words:
        print(f"no runs with {printable(' '.join(words))} under {printable(store.root)}")
        return 0
    if not rows:
        print(f"no runs under {printable(store.root)}; start with: roftbench run method=roftmol dataset=esol")
        return 0
    columns = [name for name in rows[0] if name != "fold" or any(row["fold"] is not None for row in rows)]
    texts = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(columns))]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _cell(value: object) -> str:
    """Return a value of a run; scores have the same number of decimals in all rows."""
    if value is None:
        return "–"
    return score_text(value, 4) if isinstance(value, float) else printable_name(value)


def _named(group: str, found: dict[str, Value], names: Sequence[str]) -> dict[str, Value]:
    """Return the options with some names, all without names; raises UsageError for an unknown one."""
    if unknown := [name for name in names if name not in found]:
        raise UsageError(f"unknown {group} '{unknown[0]}'", key=group, got=unknown[0], allowed=found)
    return {name: found[name] for name in names or found}


def _model_details(card: "ModelCard", present: str | None) -> list[str]:
    from roftbench.models.config import OWN

    if card.checkpoint == OWN and not card.pretraining_data:  # a file that only the user can describe
        return []
    details = [f"{card.parameters:,} parameters"] if card.parameters is not None else []
    if card.fingerprint:
        details += ["no checkpoint, needs no GPU"]
    else:
        details += [_pretraining(card), present or _ELSEWHERE.get(str(card.checkpoint), card.own_file())]
    if card.pretraining != "none":
        seen = card.labels_seen()
        names = "unknown" if seen is None else ", ".join(seen) or "none"
        details += [f"benchmark labels seen in pretraining: {names}"]
    details += [f"license: {card.license}"] if card.license else []
    return details + ([_VERIFIED[card.verified]] if card.verified is not None else [])


def _weights(card: "ModelCard", present: str | None) -> str:
    """Return where the weights of a model are, in a word or two."""
    if card.fingerprint:
        return "none"
    return present or {"None": "random", "published": NOT_HERE}.get(str(card.checkpoint), "your file")


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
