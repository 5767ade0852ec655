"""The game of the example `selfplay`, against brute force over a grid of 3 x 3 patches."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

SETS = np.array(list(itertools.product((False, True), repeat=9)))  # all of them


def test_under_an_oracle_the_object_alone_has_the_highest_value() -> None:
    from selfplay_game import best_threshold, value

    for patches in SETS:
        evidence = np.where(patches, 1.5, -1.5)
        values = value(SETS, evidence)
        assert np.array_equal(SETS[values.argmax()], patches)
        assert (values < values.max()).sum() == len(SETS) - 1
        assert np.array_equal(best_threshold(evidence), patches)


def test_the_best_threshold_is_the_best_of_all_sets() -> None:
    from selfplay_game import best_threshold, value

    for seed in range(50):
        evidence = default_rng(seed).normal(size=9)
        by_hand = [evidence[patches].sum() / np.sqrt(max(patches.sum(), 1)) for patches in SETS]
        assert value(SETS, evidence) == pytest.approx(by_hand)
        assert np.array_equal(best_threshold(evidence), SETS[np.argmax(by_hand)])


def test_self_play_from_a_wrong_start_ends_at_the_object() -> None:
    from selfplay_game import self_play

    patches = np.arange(9) % 4 == 0
    evidence, start = np.where(patches, 1.5, -1.5), np.where(patches, -0.5, 0.5)
    chosen = self_play(np.eye(9), start, evidence, (0, 2000), default_rng(0))
    assert np.array_equal(chosen[0], ~patches)
    assert np.array_equal(chosen[2000], patches)


def test_an_update_follows_the_slope_of_the_expected_win() -> None:
    from selfplay_game import reinforce, value

    random, sets = default_rng(0), SETS[:16, 5:]
    tokens, evidence, logits = (
        random.normal(size=(4, 3)),
        random.normal(size=4),
        random.normal(size=4),
    )
    values, step = value(sets, evidence), 1e-6
    wins = np.sign(values[:, None] - values)

    def chances(logits: NDArray[Any]) -> NDArray[Any]:
        ons = 1 / (1 + np.exp(-logits))
        each: NDArray[Any] = np.where(sets, ons, 1 - ons).prod(axis=1)
        return each

    won = [chances(logits + step * column) @ wins @ chances(logits) for column in tokens.T]
    estimates = [reinforce(tokens, logits, evidence, random) for _ in range(20_000)]
    assert np.mean(estimates, axis=0) == pytest.approx(2 * np.array(won) / step, abs=0.04)


def test_no_update_leaves_system_one_as_it_is_and_further_ones_change_no_earlier_answer() -> None:
    from selfplay_game import self_play

    random = default_rng(3)
    tokens, evidence, start = (
        random.normal(size=(9, 4)),
        random.normal(size=9),
        random.normal(size=9),
    )
    start[0] = -1e-300  # decided by a bit
    long = self_play(tokens, start, evidence, (0, 16, 64), default_rng(1))
    short = self_play(tokens, start, evidence, (16,), default_rng(1))
    assert np.array_equal(long[0], start > 0)
    assert np.array_equal(long[16], short[16])
