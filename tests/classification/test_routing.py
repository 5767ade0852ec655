"""How experts share cases, against scipy, scikit-learn and the ends of each scale."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy, variation
from sklearn.metrics import mutual_info_score

from omnibench.tasks.classification.routing import routing

RNG = np.random.default_rng(0)
WEIGHTS = softmax(2 * RNG.standard_normal((200, 4)), axis=1).astype(np.float32)
CHOSEN = WEIGHTS.argmax(axis=1)


def test_they_equal_scipys_and_scikit_learns() -> None:
    labels = (RNG.random((200, 3)) < 0.3).astype(np.int64)
    labels[:, 0] = CHOSEN == 1
    values = routing({"test_routing": WEIGHTS, "test_labels": labels})
    assert values["entropy"] == pytest.approx(entropy(WEIGHTS.astype(float), axis=1).mean())
    assert values["load-cv"] == pytest.approx(variation(WEIGHTS.astype(float).mean(axis=0)))
    expected = np.mean([mutual_info_score(CHOSEN, own) for own in labels.T])
    assert values["mutual-information"] == pytest.approx(expected)
    classes = RNG.integers(0, 5, 200)
    single = routing({"test_routing": WEIGHTS, "test_labels": classes})
    assert single["mutual-information"] == pytest.approx(mutual_info_score(CHOSEN, classes))


def test_the_ends_of_the_scales() -> None:
    labels = np.arange(8) % 4
    alike = routing({"test_routing": np.full((8, 4), 0.25), "test_labels": labels})
    assert alike["entropy"] == pytest.approx(np.log(4))
    assert (alike["load-cv"], alike["mutual-information"]) == pytest.approx((0, 0))
    split = routing({"test_routing": np.eye(4)[labels], "test_labels": labels})
    assert (split["entropy"], split["load-cv"]) == pytest.approx((0, 0))
    assert split["mutual-information"] == pytest.approx(np.log(4))
    single = routing({"test_routing": np.eye(4)[[2] * 8], "test_labels": labels})
    assert single["load-cv"] == pytest.approx(np.sqrt(3))


def test_what_routes_nothing_has_none() -> None:
    assert routing({"test_labels": CHOSEN}) == {}
