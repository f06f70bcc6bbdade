"""A table that jobs of several encoders learn from."""

from pathlib import Path

import pytest
from encoders import forty


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty molecules of ESOL, single atoms and salts among them."""
    return forty(tmp_path_factory.mktemp("table"))
