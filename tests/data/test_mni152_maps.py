import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import zoom

from omnibench.catalogue import datasets
from omnibench.data import Dataset, Maps, Masks
from omnibench.data.maps import checked_maps
from omnibench.data.mni152 import SURFACES
from omnibench.registry import import_attribute
from omnibench.tasks.dense.displacement import jacobian

pytest.importorskip("nilearn")


Load = Callable[[str], tuple[Dataset, np.ndarray, np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Give a dataset, and of its test split images, maps, and which pixels are valid; read once."""
    folder = tmp_path_factory.mktemp("data")

    @functools.cache
    def load(name: str) -> tuple[Dataset, np.ndarray, np.ndarray, np.ndarray]:
        card = datasets.get(name)
        dataset = import_attribute(card.reader)(card, folder)
        assert checked_maps(dataset) is card.maps
        split = dataset.splits["test"]
        rows = np.arange(len(split))
        maps, valid = dataset.target("test", "maps", Maps).read_rows(rows)
        return dataset, split.images.read_rows(rows), maps, valid

    return load


def test_the_share_of_grey_matter_is_of_the_slice_beside_it(load: Load, tmp_path: Path) -> None:
    _, images, maps, valid = load("mni152-gm")
    assert valid.all()
    plain = datasets.get("mni152")
    masks = import_attribute(plain.reader)(plain, tmp_path)
    np.testing.assert_array_equal(images, masks.splits["test"].images.read(0, 99))
    grey = masks.splits["test"].target("masks", Masks).images.read(0, 99) == 1
    assert maps[grey].min() > 1 / 3 - 0.01  # the largest of three shares
    assert maps[~grey].max() <= 0.5


def test_the_distance_to_the_surface_rises_by_a_mm_a_voxel_at_most(load: Load) -> None:
    dataset, _, maps, _ = load("mni152-distance")
    assert np.abs(maps).max() == 3
    assert (np.abs(maps) >= 0.5).all()
    for axis in (1, 2):
        assert np.abs(np.diff(maps, axis=axis)).max() <= 1 + 1e-6
    groups = dataset.splits["test"].groups
    assert groups is not None
    assert len(set(groups.tolist())) == 1  # one brain


def test_the_surfaces_of_both_halves_are_those_of_the_whole(load: Load) -> None:
    dataset, _, maps, _ = load("mni152-surfaces")
    assert dataset.card.maps is not None
    assert dataset.card.maps.channels == SURFACES
    _, _, whole, _ = load("mni152-distance")
    apart = np.abs(np.arange(160) - 80) > 3  # the halves part in column 80
    outer = np.maximum(maps[..., 0], maps[..., 2])
    np.testing.assert_array_equal(outer[:, :, apart], whole[:, :, apart])
    assert (maps[..., 0][:, :, 80:] < 0).all()  # left is left in the picture
    assert (maps[..., 2][:, :, :81] < 0).all()
    assert (maps[..., 1::2] <= maps[..., ::2]).all()  # white matter lies within


def test_a_displacement_leads_to_a_pixels_place_in_the_slice(load: Load, tmp_path: Path) -> None:
    dataset, images, maps, valid = load("mni152-registration")
    _, plain, _, _ = load("mni152-gm")
    assert min(jacobian(field, (1, 1)).min() for field in maps) > 0.5  # nothing folds
    inner = valid.copy()
    inner[:, :20] = inner[:, -20:] = inner[:, :, :20] = inner[:, :, -20:] = False
    rng = np.random.default_rng(0)
    for n, row, column in rng.permutation(np.argwhere(inner))[:300]:
        y, x = np.array([row, column]) + maps[n, row, column].astype(float)
        r, c = int(y), int(x)
        corners = plain[n, r : r + 2, c : c + 2].astype(float)
        value = np.array([r + 1 - y, y - r]) @ corners @ np.array([c + 1 - x, x - c])
        assert abs(images[n, row, column] - value) <= 0.5 + 1e-6
    unmoved = dataset.splits["test"].target("unmoved", Masks).images
    grey = datasets.get("mni152")
    masks = import_attribute(grey.reader)(grey, tmp_path)
    expected = masks.splits["test"].target("masks", Masks).images.read(0, 99)
    np.testing.assert_array_equal(unmoved.read(0, 99), expected)


def test_the_bias_is_the_logarithm_of_what_the_slice_was_multiplied_by(load: Load) -> None:
    _, images, maps, valid = load("mni152-bias")
    _, plain, _, _ = load("mni152-gm")
    inner = valid & (images > 60) & (images < 255)
    ratio = np.log(images[inner] / (0.6 * plain[inner]))
    np.testing.assert_allclose(ratio, maps[inner], atol=0.01)
    assert 0.2 < maps.std() < 0.4


def test_an_image_shows_the_means_of_blocks_of_its_map(load: Load) -> None:
    _, images, maps, _ = load("mni152-sr")
    means = maps.reshape(len(maps), 40, 4, 40, 4).mean(axis=(2, 4))
    shown = images[:, ::4, ::4]
    np.testing.assert_allclose(shown / 255, means, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(
        images, zoom(shown, (1, 4, 4), order=0, grid_mode=True, mode="nearest")
    )
