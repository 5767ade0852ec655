"""A dataset cut to some images a split: which ones, and that the methods say it."""

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.subset import drawn, limited
from omnibench.report.page.methods import recipe_words
from tests.target_values import labels_of


@pytest.mark.parametrize(("count", "limit"), [(1, 1), (10, 3), (100, 99), (1000, 64)])
def test_at_most_so_many_are_drawn_each_once_and_in_order(count: int, limit: int) -> None:
    rows = drawn(count, limit)
    assert len(rows) == limit
    assert (np.diff(rows) > 0).all()
    assert set(rows.tolist()) <= set(range(count))


@pytest.mark.parametrize("limit", [None, 10, 11])
def test_without_a_limit_or_below_it_all_stay(limit: int | None) -> None:
    assert drawn(10, limit).tolist() == list(range(10))


def test_the_draw_is_one_and_the_same_everywhere() -> None:
    assert drawn(1000, 5).tolist() == drawn(1000, 5).tolist() == [162, 206, 222, 459, 711]


def test_the_draw_is_random_and_not_the_first_images() -> None:
    """Of classes in a row each has its share: 3 standard deviations of a draw without return."""
    count, classes, limit = 5000, 10, 500
    shares = np.bincount(drawn(count, limit) // (count // classes), minlength=classes)
    share = 1 / classes
    spread = np.sqrt(limit * share * (1 - share) * (count - limit) / (count - 1))
    assert np.abs(shares - limit * share).max() < 3 * spread


def test_each_split_is_cut_and_the_methods_say_so() -> None:
    counts, limit = {"train": 40, "val": 9, "test": 20}, 12
    splits = {
        name: Split(
            ArrayImages(np.zeros((count, 2, 2), np.uint8)), {"labels": Labels(np.arange(count))}
        )
        for name, count in counts.items()
    }
    cut = limited(Dataset(DatasetCard(id="d", reader="a:b", tasks=()), splits), limit).splits
    for name, count in counts.items():
        assert len(cut[name]) == min(count, limit)
        assert labels_of(cut[name]).tolist() == drawn(count, limit).tolist()
    words = recipe_words([{"spec": {"recipe": {"limit": limit}}, "notes": {}}])
    assert words == f"at most {limit} images of each split, one fixed random draw"
