"""Trees of vessels: their graph, Murray's law, and masks that hold their lines."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from omnibench.catalogue import datasets
from omnibench.data import Masks
from omnibench.data.phantom.vessels import centreline, draw, read, tree

NAMES = [f"test-{index:05d}" for index in range(8)]


@pytest.mark.parametrize("name", NAMES)
def test_a_branch_begins_where_its_parent_ends(name: str) -> None:
    branches = tree(name)
    assert [branch.parent for branch in branches].count(-1) == 1
    for place, branch in enumerate(branches[1:], 1):
        assert branch.parent < place
        assert np.array_equal(branch.line[0], branches[branch.parent].line[-1])


@pytest.mark.parametrize("name", NAMES)
def test_radii_of_two_branches_follow_murrays_law(name: str) -> None:
    branches = tree(name)
    for place, parent in enumerate(branches):
        children = [own.radius for own in branches if own.parent == place]
        if len(children) == 2:
            assert sum(radius**3 for radius in children) == pytest.approx(parent.radius**3)
        assert all(radius < parent.radius for radius in children)


@pytest.mark.parametrize("size", [64, 128])
def test_masks_hold_the_lines_of_the_tree_and_are_drawn_alike_again(size: int) -> None:
    for name in NAMES[:3]:
        image, mask = draw(name, size)
        lines = centreline(name, size)
        assert (binary_dilation(mask == 1) | ~lines).all()
        assert mask.max() == 1
        again = draw(name, size)
        assert np.array_equal(again[0], image)
        assert np.array_equal(again[1], mask)


def test_vessels_are_brighter_than_what_lies_around_and_other_curves_are_no_vessels() -> None:
    image, mask = draw(NAMES[1], 96)
    around = binary_dilation(mask == 1, iterations=3) & (mask == 0)
    assert image[mask == 1].mean() > image[around].mean() + 20


def test_splits_share_no_image() -> None:
    card = datasets.get("phantom-vessels")
    small = card.model_copy(update={"splits": {"train": 3, "val": 2, "test": 2}})
    dataset = read(small, None)  # type: ignore[arg-type]
    images = np.concatenate([s.images.read(0, len(s)) for s in dataset.splits.values()])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == 7
    assert dataset.target("test", "masks", Masks).images.shape == (2, 96, 96)
