"""The account of a process's memory."""

import subprocess
import sys

import pytest
from lab import ROOT, Lab

LARGE = 200 * 1024**2  # bytes
CHILD = """
import sys
sys.path.insert(0, {source!r})
from roftbench.runner.memory import reset_peak, peak_mb
before = peak_mb()
block = bytearray({size})
block[::4096] = b"x" * len(block[::4096])
held = peak_mb()
del block
after = peak_mb()
reset_peak()
print(before, held, after, peak_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the account that begins anew is Linux's")
def test_the_peak_is_the_processs_own_and_can_begin_anew() -> None:
    mine = bytearray(LARGE)  # a child's account by getrusage would begin with this
    mine[::4096] = b"x" * len(mine[::4096])
    code = CHILD.format(source=str(ROOT / "src"), size=LARGE)
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    before, held, after, anew = map(float, out.split())
    assert before < 100
    assert held == pytest.approx(before + 200, abs=20)
    assert after == pytest.approx(held, abs=20)
    assert anew == pytest.approx(before, abs=20)


def test_a_record_tells_the_memory_of_its_own_job(lab: Lab) -> None:
    block = bytearray(3 * LARGE)
    block[::4096] = b"x" * len(block[::4096])
    del block
    small = lab.done("method=lp").peak_memory_mb
    block = bytearray(3 * LARGE)
    block[::4096] = b"x" * len(block[::4096])
    large = lab.done("method=lp", "seed=1").peak_memory_mb
    assert len(block) == 3 * LARGE
    assert small > 50
    assert large > small + 400
