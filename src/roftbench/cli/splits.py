"""`roftbench splits`: data rows of the parts of a job; train has only the rows whose labels are used."""

from collections.abc import Sequence
from pathlib import Path

from roftbench.config.components import build
from roftbench.config.compose import clear_errors, composed
from roftbench.config.parse import parse
from roftbench.config.registry import existing
from roftbench.data.dataset import load_dataset


def rows(overrides: Sequence[str], folder: Path | None) -> dict[str, list[int]]:
    """Return the data rows (from 0) of each part of a job; `folder` contains the user's configs."""
    with clear_errors(overrides, folder):
        job, context, _ = parse(composed(overrides, folder and existing(folder)), folder)
        dataset = load_dataset(job.dataset, context.cache / "data", context.places)
        _, parts = dataset.cut(build(job.split), job.label_ratio)
    return {name: dataset.rows[index].tolist() for name, index in parts.to_dict().items()}
