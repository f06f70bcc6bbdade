"""The token bucket that limits the rate of requests."""

import pytest

from roftbench.serve.limits import Rate


def test_a_burst_is_followed_by_a_steady_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("roftbench.serve.limits.time.monotonic", lambda: now)
    rate = Rate(burst=2, per_second=0.5)
    assert [rate.wait() for _ in range(3)] == [0, 0, 2.0]
    now += 1.0
    assert rate.wait() == pytest.approx(1.0)
    now += 1.0
    assert rate.wait() == 0
    now += 1000.0
    assert [rate.wait() > 0 for _ in range(3)] == [False, False, True]  # it saves up no more than a burst
