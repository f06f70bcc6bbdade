"""Sections of the report's page beside the tables: pictures of predictions, advice, and which sections are empty."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from roftbench.config.paths import Paths
from roftbench.report.aggregate import cells
from roftbench.report.figures.style import rendered
from roftbench.report.page.advice import AdviceTable, read_advice
from roftbench.report.page.document import Image
from roftbench.report.predictions.groups import count_groups, groups
from roftbench.report.predictions.origin import Origins
from roftbench.report.predictions.pictures import pictures
from roftbench.store.results import Store

GROUPS = 4  # data sets, splits and numbers of labels whose predictions are drawn; with more, none are
JOBS = 500  # with more, none are drawn either: it would take longer than the rest of the page
_Data = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """Contents of a page other than its tables.

    Attributes:
        images: pictures of predictions.
        missing: titles of those that cannot be drawn, and the reasons.
        advice: leaderboards of `roftbench advise`.
    """

    images: list[Image] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    advice: list[AdviceTable] = field(default_factory=list)


def beside_tables(store: Store, long: pd.DataFrame, paths: Paths) -> Beside:
    """Return the contents of a page of a store other than its tables; predictions are read only for what is drawn."""
    found = Beside(advice=read_advice(store.root))
    if count_groups(long) > GROUPS or long["key"].nunique() > JOBS:
        return found
    origins = Origins(paths)
    for group in groups(long, cells(long)):
        for one in pictures(group, store, origins):
            if one.figure is None:
                found.missing.append((one.title, one.reason))
            else:
                found.images.append(Image(one.title, one.stem, rendered(one.figure, "svg")))
    return found


def empty_sections(data: _Data) -> set[str]:
    """Return the sections of `page_data` without content whatever is chosen: "versus", "curves"."""
    empty = set()
    over = any(scope["compare"]["dataset"] or isinstance(scope["ranks"], dict) for scope in data["scopes"])
    if not over and not data["within"]:
        empty.add("versus")
    counts = defaultdict(set)
    for setting, dataset, _, labels, mean, _, _, _, complete, _ in data["label_curves"]:
        if complete and mean is not None:
            names = (data["settings"][setting][part] for part in ("model", "split", "train"))
            counts[*names, dataset].add(labels)
    if not any(len(labels) > 1 for labels in counts.values()):
        empty.add("curves")
    return empty
