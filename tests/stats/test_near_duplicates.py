"""Nearest rows against all pairs, and the fence on planted near-duplicates."""

import numpy as np
import pytest

from omnibench.stats import near_duplicates
from omnibench.stats.near_duplicates import far_out, nearest


def test_the_nearest_is_that_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)  # several blocks
    rng = np.random.default_rng(0)
    rows, others = (rng.normal(3, 1, (n, 5)).astype(np.float32) for n in (20, 30))
    rows[:, 4] = others[:, 4] = 2.0  # a column that tells nothing
    actual = nearest(rows, others)
    centre, scale = others[:, :4].mean(axis=0), others[:, :4].std(axis=0)
    for index, row in enumerate(rows[:, :4]):
        a = (row - centre) / scale
        cosines = [
            a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in (others[:, :4] - centre) / scale
        ]
        assert actual.index[index] == np.argmax(cosines)
        assert actual.cosine[index] == pytest.approx(max(cosines), abs=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.4])
def test_doubled_rows_lie_beyond_the_fence_and_others_do_not(share: float) -> None:
    rng = np.random.default_rng(1)
    others = rng.normal(size=(800, 64)).astype(np.float32)
    rows = rng.normal(size=(300, 64)).astype(np.float32)
    doubled = np.arange(300) < 300 * share
    rows[doubled] = others[100 : 100 + doubled.sum()] + 0.1 * rows[doubled]
    assert (far_out(nearest(rows, others).cosine) == doubled).mean() > 0.99


def test_the_fence_is_rarely_crossed_by_a_normal_sample() -> None:
    z = np.random.default_rng(0).normal(0.5, 0.1, 100_000)
    assert far_out(np.tanh(z).astype(np.float32)).sum() <= 3
