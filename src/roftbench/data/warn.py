"""What a reader of a score should know about the data behind it; kept in each record."""

import numpy as np

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.duplicates import across_parts
from roftbench.data.split import Split


def warnings_of(dataset: MoleculeDataset, parts: Split) -> list[str]:
    """Return warnings on the parts as they are used: how they came about, shared molecules, one class, no labels."""
    found = [*filter(None, [parts.note]), *across_parts(dataset.canonical, dataset.y, parts, _mend(dataset))]
    for name, part in (("train", parts.train), ("val", parts.val), ("test", parts.test)):
        y = dataset.y[part]
        known = ~np.isnan(y)
        without = int((~known.any(axis=1)).sum())
        if not known.any():
            found.append(f"the {name} part has no label: its scores are undefined")
            continue
        if without:
            found.append(f"{without} of {len(y)} {name} molecules have no label: they are counted, and tell nothing")
        if name == "train" and (empty := int((~known.any(axis=0)).sum())):
            found.append(f"the train part has no label in {empty} of {y.shape[1]} tasks: nothing is learnt for them")
        if dataset.spec.task == "classification":
            one_class = known.any(axis=0) & ~(((y == 0).any(axis=0)) & ((y == 1).any(axis=0)))
            if one_class.any():
                found.append(_one_class(name, int(one_class.sum()), y.shape[1]))
    return found


def _mend(dataset: MoleculeDataset) -> str:
    """What helps where parts share molecules."""
    if dataset.parts is not None:
        return "the table names the parts: mend it there"
    if dataset.spec.duplicates == "drop_conflicts":
        return "dataset.duplicates=merge leaves one row of each"
    return "dataset.duplicates=merge leaves one row of each, drop_conflicts none of those whose labels differ"


def _one_class(name: str, count: int, num_tasks: int) -> str:
    which = "has labels of one class only" if num_tasks == 1 else f"has one class only in {count} of {num_tasks} tasks"
    if name == "train":
        return f"the train part {which}: label_ratio.stratified=true draws both where there are enough"
    return f"the {name} part {which}: ROC-AUC is undefined there"
