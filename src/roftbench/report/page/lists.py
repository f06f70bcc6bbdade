"""Lists that the rows of the report's page refer to, in display order."""

from typing import Any

import pandas as pd

from roftbench.metrics import METRICS, names_of
from roftbench.report.cell_key import PARTS
from roftbench.report.figures.style import appearance
from roftbench.report.format import METRIC_NAMES, family_name, method_name, method_order
from roftbench.report.tables.seen import seen_by
from roftbench.store.record_schema import RecordSummary

OWN = "own"  # each data set's own metric, where those of a task differ
DARK_GROUND = "#15171a"  # of the dark theme
CONTRAST = 5.0  # of a method's color on it
_SETTING = ["setting", *PARTS, "terms", "baseline"]
_Data = dict[str, Any]


def lists_of(long: pd.DataFrame, done: list[RecordSummary], failed: pd.DataFrame) -> _Data:
    """Return "methods", "datasets", "settings", "metrics", and of a task its "metrics_of" and "first_metric".

    "seen" holds the data sets whose labels a shipped model's pretraining saw, null where that is not known.
    `failed`: the `unfinished_table`, whose methods and data sets are named even where none of their jobs is finished.
    """
    every = pd.concat([long[["task", "dataset", "own"]], failed.rename(columns={"metric": "own"})], join="inner")
    datasets = every.drop_duplicates().sort_values(["task", "dataset"], ascending=[False, True])
    settings = long[_SETTING].drop_duplicates().merge(_label_order(long, done), on="setting")
    settings = settings.sort_values(["baseline", "model", "split", "train", "order", "label_ratio"])
    run = pd.concat([long[["method", "baseline"]], failed[["method", "baseline"]]])
    networks = set(run.loc[~run["baseline"].astype(bool), "method"])
    methods = sorted(run["method"].unique(), key=method_order)
    primary = {str(task): sorted(group["own"].unique()) for task, group in datasets.groupby("task")}
    tasks = [task for task in ("regression", "classification") if task in primary]
    return {
        "methods": [{**_method(name), "baseline": name not in networks} for name in methods],
        "datasets": datasets.rename(columns={"own": "metric"}).to_dict("records"),
        "settings": settings.drop(columns="order").to_dict("records"),
        "seen": seen_by(settings["model"]),
        "metrics": {
            metric.name: {"name": METRIC_NAMES[metric.name], "higher": metric.higher_is_better}
            for metric in METRICS.values()
        },
        "metrics_of": {task: list(dict.fromkeys([*primary[task], *names_of(task)])) for task in tasks},
        "first_metric": {task: primary[task][0] if len(primary[task]) == 1 else OWN for task in tasks},
    }


def places(rows: list[_Data], key: str) -> dict[Any, int]:
    """Return the index of each row by one of its values."""
    return {row[key]: i for i, row in enumerate(rows)}


def numbers_of(lists: _Data) -> tuple[dict[Any, int], dict[Any, int], dict[Any, int]]:
    """Return the indices of settings, data sets and methods in `lists_of` by what rows call them."""
    return places(lists["settings"], "setting"), places(lists["datasets"], "dataset"), places(lists["methods"], "id")


def on_dark(color: str) -> str:
    """Return a color, #rrggbb, mixed with enough white to be visible on the dark theme's background."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    mixes = ("#" + "".join(f"{round(p + (255 - p) * share / 20):02x}" for p in parts) for share in range(21))
    ground = _luminance(DARK_GROUND)
    return next(mix for mix in mixes if (_luminance(mix) + 0.05) / (ground + 0.05) >= CONTRAST)


def _luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _method(name: str) -> _Data:
    look = appearance(name)
    colors = {"color": look.color, "dark": on_dark(look.color)}
    words = {"id": name, "name": method_name(name), "family": family_name(name)}
    return {**words, **colors, "marker": look.marker, "dashed": look.linestyle == "--"}


def _label_order(long: pd.DataFrame, done: list[RecordSummary]) -> pd.DataFrame:
    """Return a number per setting that sorts label ratios: counts, then fractions, then all labels."""
    of_key = {record.key: record.job["label_ratio"] for record in done}
    first = long.drop_duplicates("setting")
    ratios = [of_key[key] for key in first["key"]]
    order = [ratio.get("count") or 1e9 * (1 + (ratio.get("fraction") or 2)) for ratio in ratios]
    return pd.DataFrame({"setting": first["setting"].to_numpy(), "order": order})
