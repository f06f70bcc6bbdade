"""What the card of a model for use states, in a few lines for the terminal."""

from collections.abc import Iterator
from typing import Any

from roftbench.formatting import counted, score_text
from roftbench.predict.evaluation import folds_in_words, learned_in_words
from roftbench.predict.saved_model import SavedModel

SHOWN = 5  # tasks with their intervals


def verdict(saved: SavedModel) -> Iterator[tuple[str, str]]:
    """Yield labels and texts: how the configuration was judged, what the model was fitted to, and its uncertainty."""
    facts, evaluation = saved.facts, saved.facts["evaluation"]
    scores = ", ".join(_scores(facts["metric"], evaluation))
    yield "judged", f"{scores}; {folds_in_words(evaluation)}, by other fits of the same configuration"
    labels = facts["count"]["labels"]
    count = counted(labels["weights"], "label") + " for weights" * (labels["selection"] > 0)
    learned = f"{learned_in_words(evaluation, labels['selection'])} ({count})"
    yield "fitted", f"to {learned}, so that nothing is left to test this model itself"
    yield from _uncertainty(saved)
    low, high = facts["atoms"][1:3]
    yield "range", f"90 % of the training molecules have {low} to {high} atoms"
    for warning in facts["warnings"]:
        yield "caution", warning


def _scores(primary: str, evaluation: dict[str, Any]) -> Iterator[str]:
    """Yield the mean of every metric and its deviation over the folds, the data set's own metric first."""
    for name in sorted(evaluation["scores"], key=lambda name: name != primary):
        one = evaluation["scores"][name]
        spread = "" if one["std"] is None else f" ± {score_text(one['std'])}"
        yield f"{name} {score_text(one['mean'])}{spread}"


def _uncertainty(saved: SavedModel) -> Iterator[tuple[str, str]]:
    numbers = saved.facts["calibration"]
    if saved.task == "regression":
        found = [
            f"± {one['mean_width'] / 2:.3g} on average{_of(saved, name)}{_held(share)}"
            for name, one, share in zip(saved.targets, numbers["test"], numbers["test_coverage"], strict=True)
            if one["mean_width"] is not None
        ]
        widths = [
            f"± {width:.3g}{_of(saved, name)}"
            for name, width in zip(saved.targets, numbers["half_width"], strict=True)
            if width is not None
        ]
        if not found and widths:
            found = [f"{_listed(widths)}; its coverage is not known, as one test part alone was judged"]
        yield "interval", f"90 %: {_listed(found)}" if found else "none: fewer than nine labels are left out"
    else:
        found = [
            f"calibration error {error:.3g}{_of(saved, name)}"
            for name, error in zip(saved.targets, numbers["test_error"], strict=True)
            if error is not None
        ]
        if found:
            yield "classes", f"{_listed(found)} in left-out folds"


def _of(saved: SavedModel, name: str) -> str:
    return f" for {name}" if len(saved.targets) > 1 else ""


def _held(share: float | None) -> str:
    return "" if share is None else f", which held {100 * share:.0f} % of the labels in left-out folds"


def _listed(texts: list[str]) -> str:
    more = f"; {len(texts) - SHOWN} more tasks in the card" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more
