"""Mixup against timm's, given the share that it drew."""

from typing import Any

import numpy as np
import torch
from scipy.stats import beta, kstest
from timm.data.mixup import mixup_target

from omnibench.training.job import Batch
from omnibench.training.mixup import Pairs

ROWS = torch.tensor([7, 3, 5, 0, 2])
PLACES = torch.arange(5)


def test_images_and_targets_are_mixed_as_timm_mixes_a_batch() -> None:
    batch = Batch(4, ROWS, PLACES, ROWS)
    pairs = Pairs.from_batch(batch, 0.8, seed=1)
    images = torch.rand(5, 3, 2, 2)
    mixed = pairs.mixed(images, images[pairs.others.places])
    expected = images * pairs.share + images.flip(0) * (1 - pairs.share)
    assert torch.allclose(mixed, expected)
    labels = torch.tensor([0, 2, 1, 1, 2])
    targets = torch.eye(3)[labels]
    timms: Any = mixup_target
    mixed = pairs.mixed(targets, targets[pairs.others.places])
    assert torch.allclose(mixed, timms(labels, 3, pairs.share))


def test_no_cut_of_a_step_changes_who_is_mixed_with_whom() -> None:
    whole = Pairs.from_batch(Batch(4, ROWS, PLACES, ROWS), 0.8, seed=1)
    for part in PLACES.chunk(2):
        own = Pairs.from_batch(Batch(4, ROWS[part], part, ROWS), 0.8, seed=1)
        assert own.share == whole.share
        assert torch.equal(own.others.rows, whole.others.rows[part])
        assert torch.equal(own.others.places, whole.others.places[part])


def test_shares_follow_the_beta_law() -> None:
    batch = Batch(0, ROWS, PLACES, ROWS)
    steps = [Batch(step, ROWS, PLACES, ROWS) for step in range(800)]
    shares = np.array([Pairs.from_batch(step, 0.4, seed=2).share for step in steps])
    assert kstest(shares, beta(0.4, 0.4).cdf).pvalue > 0.01
    assert Pairs.from_batch(batch, 0.4, seed=2).share == shares[0]
