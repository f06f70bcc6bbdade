"""`roftbench splits`: the data rows of train, val and test, labels cut, as a job has them."""

from collections.abc import Sequence
from pathlib import Path

from roftbench.config.components import build
from roftbench.config.compose import clear_errors, composed
from roftbench.config.parse import parse
from roftbench.config.registry import existing
from roftbench.data.dataset import load_dataset


def rows(overrides: Sequence[str], folder: Path | None) -> dict[str, list[int]]:
    """Return the rows of each part that a config asks for; `folder` holds configs of the user's own."""
    with clear_errors(overrides, folder):
        job, context, _ = parse(composed(overrides, folder and existing(folder)))
        dataset = load_dataset(job.dataset, context.cache / "data", context.places)
        _, parts = dataset.cut(build(job.split), job.label_ratio)
    return {name: dataset.rows[index].tolist() for name, index in parts.to_dict().items()}
