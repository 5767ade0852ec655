"""Whether two settings rank backbones alike."""

import itertools

import numpy as np
import pytest

from omnibench.stats.rankings import agreement


def test_tau_and_switches_equal_a_count_of_pairs() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        first = {
            name: float(value) for name, value in zip("abcdef", generator.random(6), strict=True)
        }
        second = {
            name: float(value) for name, value in zip("abcdef", generator.random(6), strict=True)
        }
        actual = agreement(first, second)
        pairs = list(itertools.combinations("abcdef", 2))
        turned = [(x, y) for x, y in pairs if (first[x] > first[y]) != (second[x] > second[y])]
        assert {frozenset(pair) for pair in actual.switched} == {frozenset(p) for p in turned}
        assert all(first[x] > first[y] and second[x] < second[y] for x, y in actual.switched)
        assert actual.tau == pytest.approx(1 - 2 * len(turned) / len(pairs))
        best = tuple(max(means, key=means.__getitem__) for means in (first, second))
        assert actual.best == best


def test_less_is_better_turns_the_best_and_not_tau() -> None:
    first, second = {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0}
    assert agreement(first, second).best == ("b", "b")
    assert agreement(first, second, down=True).best == ("a", "a")
    assert agreement(first, second, down=True).tau == 1


def test_tau_is_undefined_of_one_backbone_and_of_equal_ones() -> None:
    assert agreement({"a": 1.0, "c": 0.0}, {"a": 1.0}).tau is None
    assert agreement({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}).tau is None
