"""Names and numbers as tables show them."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from roftbench.config.method_cards import method_cards
from roftbench.config.registry import options
from roftbench.formatting import UNDEFINED, printable_name, score_text, spreadsheet_text
from roftbench.methods.config import BASELINE, METHOD
from roftbench.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

METRIC_NAMES = {
    "rmse": "RMSE", "mae": "MAE", "r2": "R²", "spearman": "Spearman", "pearson": "Pearson", "kendall": "Kendall",
    "roc_auc": "ROC-AUC", "average_precision": "Average precision", "brier": "Brier", "mcc": "MCC",
    "balanced_accuracy": "Balanced accuracy",
}  # fmt: skip
FAMILY_NAMES = {"full": "full fine-tuning", "estimator": "no network"}  # where the family is not plain enough
MISSING = "--"


def methods() -> list[str]:
    """Return the names of the methods with a config, without baselines, in order."""
    return [name for name, card in method_cards().items() if card.role != BASELINE]


def baselines() -> list[str]:
    """Return the names of the baselines with a config, in order."""
    return [name for name, card in method_cards().items() if card.role == BASELINE]


def method_name(method: str) -> str:
    """Return the title of a method or baseline with a config, with its variant; other names are unchanged."""
    plain, variant = _variant(method)
    card = method_cards().get(plain)
    return ((card and card.title) or plain) + variant


def mechanism(method: str) -> str:
    """Return the role of a baseline or the proposed method, else the family: one of FAMILIES."""
    card = method_cards().get(_variant(method)[0])
    return "other" if card is None else card.family if card.role == METHOD else card.role


def family(method: str) -> str:
    """Return the family of a method or baseline, one of FAMILIES; "other" for one without a config."""
    card = method_cards().get(_variant(method)[0])
    return "other" if card is None else card.family


def family_name(method: str) -> str:
    """Return the family of a method in words."""
    return FAMILY_NAMES.get(family(method), family(method))


def method_order(method: str) -> tuple[int, str]:
    """Return a sort key: methods with a config in their order with their variants, then others, then baselines."""
    plain = _variant(method)[0]
    known = [*methods(), None, *baselines()]  # None: any other method
    return known.index(plain if plain in known else None), method


def newest(wanted: str, methods: Iterable[str]) -> str:
    """Return the name of a method in a table, with its highest protocol where the table has several.

    For "roftmol (protocol=3)" and "roftmol (protocol=4)", "roftmol" gives the latter. The name is returned unchanged
    where it is in the table, or where variants differ in something else.
    """
    methods = set(methods)
    found = [re.fullmatch(rf"{re.escape(wanted)} \(protocol=(\d+)\)", method) for method in methods]
    variants = {int(one[1]): one[0] for one in found if one is not None}
    return variants[max(variants)] if variants and wanted not in methods else wanted


def _variant(method: str) -> tuple[str, str]:
    """Return the plain part of a name of `cell_key.names`, and the appended differences or ""."""
    plain, blank, rest = method.partition(" (")
    return plain, blank + rest


@cache
def _dataset_titles() -> dict[str, str]:
    return {name: title for name, content in options("dataset").items() if (title := content.get("title"))}


def dataset_name(dataset: str) -> str:
    """Return the title of a data set that roftbench ships, with its variant; other names are unchanged."""
    plain, variant = _variant(dataset)
    return _dataset_titles().get(plain, plain) + variant


def metric_name(metric: str) -> str:
    """Return a metric's name with an arrow in the direction of the better score."""
    return f"{METRIC_NAMES[metric]} {'↑' if METRICS[metric].higher_is_better else '↓'}"


def score(row: dict[Any, Any]) -> str:
    """Return mean, standard deviation (omitted for one seed) and number of seeds of a cell."""
    if math.isnan(row["mean"]):
        return UNDEFINED
    spread = f" ± {score_text(row['std'])}" if row["n"] > 1 else ""
    return f"{score_text(row['mean'])}{spread} ({row['n']})"


def rank(row: dict[Any, Any]) -> str:
    """Return a row's average rank."""
    return MISSING if math.isnan(row["average_rank"]) else f"{row['average_rank']:.2f}"


def p_text(value: float) -> str:
    """Return a p-value."""
    if math.isnan(value):
        return MISSING
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def amount(label_ratio: str) -> tuple[int, int, str]:
    """Return a sort key of label ratios: counts (n50 before n500), shares (r05 before r50), then all labels."""
    digits = label_ratio[1:].split("-")[0].split(" ")[0]
    if label_ratio.startswith(("n", "r")) and digits.replace(".", "").isdigit():
        return ("nr".index(label_ratio[0]), int(float(digits) * 100), label_ratio)
    return (2, 0, label_ratio)


def csv_text(frame: "pd.DataFrame") -> str:
    """Return a frame as CSV with a header; texts are quoted where a spreadsheet would take them for formulas."""
    texts = frame.select_dtypes(exclude="number").columns
    safe = {name: [spreadsheet_text(one) if isinstance(one, str) else one for one in frame[name]] for name in texts}
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, all columns but the first aligned to the right; line breaks and | are escaped."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    cells = ([printable_name(text).replace("|", r"\|") for text in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def by_reason(what: str, missing: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line of a Markdown list for each reason why something is missing; `missing`: (name, reason)."""
    reasons = dict.fromkeys(reason for _, reason in missing)
    names = {reason: "; ".join(name for name, why in missing if why == reason) for reason in reasons}
    return [f"- {what} ({names[reason]}): {reason}." for reason in reasons]
