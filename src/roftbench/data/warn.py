"""What a reader of a score should know about the data behind it; kept in each record."""

import numpy as np

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.duplicates import across_parts
from roftbench.data.split import Split


def warnings_of(dataset: MoleculeDataset, parts: Split) -> list[str]:
    """Return warnings on the parts as they are used: how they came about, shared molecules, one class, no labels."""
    found = [*filter(None, [parts.note]), *across_parts(dataset.canonical, dataset.y, parts)]
    for name, part in (("train", parts.train), ("val", parts.val), ("test", parts.test)):
        y = dataset.y[part]
        known = ~np.isnan(y)
        if not known.any():
            found.append(f"the {name} part has no label: its scores are undefined")
        elif dataset.spec.task == "classification":
            one_class = known.any(axis=0) & ~(((y == 0).any(axis=0)) & ((y == 1).any(axis=0)))
            if one_class.any():
                found.append(_one_class(name, int(one_class.sum()), y.shape[1]))
    return found


def _one_class(name: str, count: int, num_tasks: int) -> str:
    which = "has labels of one class only" if num_tasks == 1 else f"has one class only in {count} of {num_tasks} tasks"
    if name == "train":
        return f"the train part {which}: label_ratio.stratified=true draws both where there are enough"
    return f"the {name} part {which}: ROC-AUC is undefined there"
