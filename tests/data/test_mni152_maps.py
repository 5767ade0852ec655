from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import zoom

from omnibench.catalogue import datasets
from omnibench.data import Dataset, Maps, Masks
from omnibench.data.maps import checked_maps
from omnibench.registry import import_attribute

pytest.importorskip("nilearn")


def load(name: str, folder: Path) -> tuple[Dataset, np.ndarray, np.ndarray, np.ndarray]:
    """Return a dataset, and of its test split images, maps, and which pixels are valid."""
    card = datasets.get(name)
    dataset = import_attribute(card.reader)(card, folder)
    assert checked_maps(dataset) is card.maps
    split = dataset.splits["test"]
    rows = np.arange(len(split))
    return (
        dataset,
        split.images.read_rows(rows),
        *dataset.target("test", "maps", Maps).read_rows(rows),
    )


def test_the_share_of_grey_matter_is_of_the_slice_beside_it(tmp_path: Path) -> None:
    _, images, maps, valid = load("mni152-gm", tmp_path)
    assert valid.all()
    plain = datasets.get("mni152")
    masks = import_attribute(plain.reader)(plain, tmp_path)
    np.testing.assert_array_equal(images, masks.splits["test"].images.read(0, 99))
    grey = masks.splits["test"].target("masks", Masks).images.read(0, 99) == 1
    assert maps[grey].min() > 1 / 3 - 0.01  # the largest of three shares
    assert maps[~grey].max() <= 0.5


def test_the_distance_to_the_surface_rises_by_a_mm_a_voxel_at_most(tmp_path: Path) -> None:
    dataset, _, maps, _ = load("mni152-distance", tmp_path)
    assert np.abs(maps).max() == 3
    assert (np.abs(maps) >= 0.5).all()
    for axis in (1, 2):
        assert np.abs(np.diff(maps, axis=axis)).max() <= 1 + 1e-6
    groups = dataset.splits["test"].groups
    assert groups is not None
    assert len(set(groups.tolist())) == 1  # one brain


def test_the_bias_is_the_logarithm_of_what_the_slice_was_multiplied_by(tmp_path: Path) -> None:
    _, images, maps, valid = load("mni152-bias", tmp_path)
    _, plain, _, _ = load("mni152-gm", tmp_path)
    inner = valid & (images > 60) & (images < 255)
    ratio = np.log(images[inner] / (0.6 * plain[inner]))
    np.testing.assert_allclose(ratio, maps[inner], atol=0.01)
    assert 0.2 < maps.std() < 0.4


def test_an_image_shows_the_means_of_blocks_of_its_map(tmp_path: Path) -> None:
    _, images, maps, _ = load("mni152-sr", tmp_path)
    means = maps.reshape(len(maps), 40, 4, 40, 4).mean(axis=(2, 4))
    shown = images[:, ::4, ::4]
    np.testing.assert_allclose(shown / 255, means, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(
        images, zoom(shown, (1, 4, 4), order=0, grid_mode=True, mode="nearest")
    )
