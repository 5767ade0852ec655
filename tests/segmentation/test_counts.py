from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.errors import DataError
from omnibench.tasks.segmentation.counts import counts_of


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(1, 4))
def test_counts_are_those_of_comparing_pixel_by_pixel(seed: Any, classes: Any, images: Any) -> None:
    rng = np.random.default_rng(seed)
    dtype = rng.choice(np.array([np.uint8, np.int8, np.int64, np.uint64], dtype=object))
    shown = rng.integers(1, classes + 1)  # later classes may be absent
    truth = rng.integers(0, shown, (images, 7, 5)).astype(dtype)
    predicted = rng.integers(0, classes, truth.shape).astype(np.uint8)
    counts = counts_of(predicted, truth, classes)
    assert (counts.shape, counts.dtype) == ((images, classes, 4), np.dtype(np.int32))
    for image in range(images):
        for label in range(classes):
            p, t = predicted[image] == label, truth[image] == label
            expected = [(p & t).sum(), (p & ~t).sum(), (~p & t).sum(), (~p & ~t).sum()]
            assert counts[image, label].tolist() == expected


def test_bool_masks_are_two_classes_and_255_of_them_do_not_overflow() -> None:
    truth = np.array([[[True, False]]])
    assert counts_of(truth, ~truth, 2).tolist() == [[[0, 1, 1, 0], [0, 1, 1, 0]]]
    high = np.full((1, 2, 2), 254, np.uint8)
    assert counts_of(high, high, 255)[0, 254].tolist() == [4, 0, 0, 0]


def test_no_image_gives_no_counts() -> None:
    empty = np.zeros((0, 4, 4), np.uint8)
    assert counts_of(empty, empty, 2).shape == (0, 2, 4)


def test_masks_that_do_not_fit_are_refused() -> None:
    mask = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(DataError, match=r"must both be \[N, H, W\]"):
        counts_of(mask[:1], mask, 2)
    with pytest.raises(DataError, match=r"must both be \[N, H, W\]"):
        counts_of(mask[0], mask[0], 2)
    with pytest.raises(DataError, match=r"predicted masks hold values 2\.\.2.*0\.\.1"):
        counts_of(mask + np.uint8(2), mask, 2)
    with pytest.raises(DataError, match="true masks hold values 254"):
        counts_of(mask, mask + np.uint8(254), 2)
    with pytest.raises(DataError, match="hold values -1"):
        counts_of(mask, mask.astype(int) - 1, 2)
    with pytest.raises(DataError, match="not float32"):
        counts_of(mask.astype(np.float32), mask, 2)
    with pytest.raises(DataError, match="two classes, not 1"):
        counts_of(mask, mask, 1)
