"""Versions and commit that a record names."""

import subprocess

import pytest
from lab import ROOT

from roftbench.runner.provenance import commit


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_commit_of_a_checkout_is_recorded() -> None:
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    found = commit()
    assert found is not None
    assert found.removesuffix("-dirty") == head.stdout.strip()
