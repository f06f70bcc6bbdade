"""Parameters of tests that only `--whole` runs."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def but_whole(values: Iterable[Any], longest: Collection[Any]) -> list[Any]:
    """Return values as parameters; those of `longest` are for --whole."""
    return [pytest.param(value, marks=pytest.mark.whole) if value in longest else value for value in values]
