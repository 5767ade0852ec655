"""Times are taken by turns, and summed up by closed forms."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from omnibench.tasks.deployment import latency


def test_the_summary_has_exact_quantiles() -> None:
    seconds = [k / 1000 for k in range(1, 101)]
    result = latency.summary(seconds[::-1], batch=8)
    assert (result["p50_ms"], result["runs"]) == (pytest.approx(50.5), 100)
    assert result["p95_ms"] == pytest.approx(95.05)  # linear between the 95th and the 96th
    assert result["images_per_s"] == pytest.approx(8000 / 50.5)
    low, high = (round(result[name]) for name in ("p50_low_ms", "p50_high_ms"))
    # P(X_(low) <= median < X_(high)) of 100 draws is that of low .. high - 1 of them below it.
    covered = binom.cdf(high - 1, 100, 0.5) - binom.cdf(low - 1, 100, 0.5)
    tighter = binom.cdf(high - 2, 100, 0.5) - binom.cdf(low, 100, 0.5)
    assert covered >= 0.95 > tighter


def test_two_runtimes_are_timed_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += 1.0

    clock = ticks()
    monkeypatch.setattr(latency, "perf_counter", lambda: next(clock))
    called: list[tuple[str, int]] = []

    def runtime(name: str) -> Callable[[NDArray[np.uint8]], object]:
        return lambda images: called.append((name, len(images)))

    runtimes = {name: runtime(name) for name in ("a", "b")}
    result = latency.latencies(runtimes, np.zeros((3, 2, 2), np.uint8), (1, 5))
    for batch in (1, 5):
        names = "".join(name for name, count in called if count == batch)
        warm, timed = names[:20], names[20:]
        assert warm == "a" * 10 + "b" * 10
        assert timed == "abba" * (len(timed) // 4)
        # The clock says that it takes too long, so that the fewest are made.
        assert result["a"][str(batch)]["runs"] == result["b"][str(batch)]["runs"] == 20
