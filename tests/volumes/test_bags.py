"""How slices are laid out: by study, view and place, whatever order they come in."""

import numpy as np
import pytest
import torch

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.errors import DataError
from omnibench.tasks.volumes.bags import Layout, views_of, with_absent

VIEWS = ("axial", "sagittal")


def split_of(order: list[int]) -> Split:
    """Study "b" with three axial slices and a sagittal one, "a" with one axial slice."""
    study = np.array(["b", "b", "b", "b", "a"])
    view = np.array(["axial", "axial", "sagittal", "axial", "axial"])
    place = np.array([2.0, 0.0, 5.0, 1.0, 0.0])
    rows = np.array(order)
    images = np.arange(5, dtype=np.uint8)[rows, None, None]
    return Split(
        ArrayImages(images),
        study=study[rows],
        view=view[rows],
        place=place[rows],
        by_study={"labels": Labels(np.array([1, 0]))},
    )


def test_slices_stand_by_view_and_place() -> None:
    layout = Layout.from_split(split_of([0, 1, 2, 3, 4]), VIEWS)
    assert layout.rows.tolist() == [[[1, 3, 0], [2, 5, 5]], [[4, 5, 5], [5, 5, 5]]]
    assert layout.there.sum() == 5


def test_the_order_in_which_slices_are_read_changes_no_slice() -> None:
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for order in ([0, 1, 2, 3, 4], [3, 2, 1, 0, 4]):
        layout = Layout.from_split(split_of(order), VIEWS)
        own = layout.slices(with_absent(features[torch.tensor(order)]), np.array([0, 1]))
        assert torch.equal(own.features[0, 0], features[[1, 3, 0]])
        assert torch.equal(own.features[1, 0, 0], features[4])
        assert (own.features[~own.there] == 0).all()


def test_slices_are_no_longer_than_the_longest_study() -> None:
    layout = Layout.from_split(split_of([0, 1, 2, 3, 4]), VIEWS)
    assert layout.slices(torch.zeros(6, 2), np.array([1])).features.shape == (1, 2, 1, 2)


def test_thinned_slices_are_evenly_spaced_and_hold_both_ends() -> None:
    layout = Layout(9, np.arange(9).reshape(1, 1, 9)).thinned(3)
    assert layout.rows.tolist() == [[[0, 4, 8]]]
    short = Layout(9, np.array([[[7, 8, 9, 9]]])).thinned(3)
    assert short.rows.tolist() == [[[7, 8, 9]]]


def test_values_by_image_are_padded_by_study() -> None:
    layout = Layout.from_split(split_of([0, 1, 2, 3, 4]), VIEWS)
    shown = layout.padded(np.array([1, 0, 0, 0, 1], np.int8), -1)
    assert shown.tolist() == [[0, 0, 1, 0, -1, -1], [1, -1, -1, -1, -1, -1]]


def test_views_are_those_of_all_splits() -> None:
    card = DatasetCard(id="x", reader="a:b", tasks=("volumes",))
    whole = split_of([0, 1, 2, 3, 4])
    assert views_of(Dataset(card, {"train": whole.take(np.array([4])), "test": whole})) == VIEWS


def test_views_that_the_card_does_not_name_are_refused() -> None:
    card = DatasetCard(id="x", reader="a:b", tasks=("volumes",), views=("sagittal", "axial"))
    whole = split_of([0, 1, 2, 3, 4])
    assert views_of(Dataset(card, {"test": whole})) == VIEWS
    with pytest.raises(DataError, match="of the views axial, its card names sagittal, axial"):
        views_of(Dataset(card, {"test": whole.take(np.array([4]))}))
