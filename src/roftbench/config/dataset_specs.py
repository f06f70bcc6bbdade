"""Data sets as described in `conf/dataset/`."""

from pathlib import Path

from roftbench.config.registry import options
from roftbench.data.config import DatasetSpec
from roftbench.errors import UsageError


def dataset_specs(folder: Path | None = None) -> dict[str, DatasetSpec | None]:
    """Return the published data sets of the shipped configs and of a user's config folder, None for own tables.

    Raises:
        UsageError: a config lacks a required key of a data set, or has an impossible value.
    """
    found: dict[str, DatasetSpec | None] = {}
    for name, content in options("dataset", folder).items():
        try:
            found[name] = DatasetSpec(**content) if content.get("sources") else None
        except (TypeError, ValueError) as error:
            raise UsageError(f"dataset/{name}.yaml: {error}", key=f"dataset/{name}.yaml") from None
    return found
