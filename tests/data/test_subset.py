"""A dataset cut to some images a split: which ones, and that the methods say it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.subset import drawn, limited, stratified
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


def seen(labels: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return how many of the drawn images show each label."""
    rows = stratified(labels, limit)
    assert len(rows) == limit == len(set(rows.tolist())) and (np.diff(rows) > 0).all()
    return np.bincount(labels[rows]) if labels.ndim == 1 else labels[rows].sum(axis=0)


@pytest.mark.parametrize("limit", [3, 10, 57, 999])
def test_each_class_is_shown_and_has_its_share_to_an_image(limit: int) -> None:
    labels = np.sort(np.random.default_rng(1).choice(3, 1000, p=[0.9, 0.09, 0.01]))
    counts = seen(labels, limit)
    assert counts.min() >= 1
    quotas = limit * np.bincount(labels) / len(labels)
    if quotas.min() >= 1:  # else a rare class has more than its share, which others give
        assert np.abs(counts - quotas).max() < 1


def test_fewer_images_than_classes_show_a_class_each() -> None:
    assert seen(np.arange(100) % 50, 20).max() == 1


def test_shares_are_those_of_websters_rule() -> None:
    """The ten largest quotients of 53, 24 and 23 by 1, 3, 5, ... by hand.

    53, 17.7, 10.6, 7.57, 5.89, 4.82; 24, 8, (4.80); 23, 7.67, (4.60).
    """
    labels = np.repeat([0, 1, 2], [53, 24, 23])
    assert seen(labels, 9).tolist() == [5, 2, 2]
    assert seen(labels, 10).tolist() == [6, 2, 2]


def test_labels_of_a_multi_label_set_are_all_shown_in_about_their_shares() -> None:
    random = np.random.default_rng(2)
    shares = np.array([0.5, 0.2, 0.05, 0.01, 0.004])
    labels = (random.random((4000, 5)) < shares).astype(np.int64)
    assert labels.sum(axis=0).min() > 0
    assert seen(labels, 6).min() >= 1
    counts, quotas = seen(labels, 400), 400 * labels.mean(axis=0)
    assert np.abs(counts - quotas).max() <= 4
    simple = [labels[random.permutation(4000)[:400]].sum(axis=0) for _ in range(200)]
    assert np.abs(counts - quotas).sum() < np.median(np.abs(simple - quotas).sum(axis=1))


@pytest.mark.parametrize("several", [False, True])
def test_a_smaller_limit_draws_a_part_of_a_larger_ones_images(several: bool) -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, (200, 4)) if several else random.integers(0, 7, 200)
    for small, large in ((5, 20), (20, 199)):
        assert set(stratified(labels, small).tolist()) <= set(stratified(labels, large).tolist())


def test_images_without_labels_are_drawn_at_random() -> None:
    split = Split(ArrayImages(np.zeros((30, 2, 2), np.uint8)), groups=np.arange(30).astype(str))
    cut = limited(Dataset(DatasetCard(id="d", reader="a:b", tasks=()), {"train": split}), 7)
    groups = cut.splits["train"].groups
    assert groups is not None and groups.astype(int).tolist() == drawn(30, 7).tolist()


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
        rows = stratified(np.arange(count), limit) if limit < count else np.arange(count)
        assert labels_of(cut[name]).tolist() == rows.tolist()
    words = recipe_words([{"spec": {"recipe": {"limit": limit}}, "notes": {}}])
    assert (
        words
        == f"at most {limit} images of each split, one fixed draw (by label where they are read)"
    )
