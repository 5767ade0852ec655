from typing import Any

import numpy as np
import pytest
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_dice import compute_surface_dice
from monai.metrics.utils import get_mask_edges
from scipy.ndimage import gaussian_filter
from torch import Tensor

from omnibench.errors import DataError
from omnibench.tasks.segmentation.distances import boundary, surface_distances

SIZE = (40, 52)


def blobs(seed: Any, classes: int = 3, images: int = 6, sigma: float = 3.0) -> Any:
    """Masks of smooth regions, some of which touch the image's edge."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((images, classes, *SIZE)), (0, 0, sigma, sigma))
    return field.argmax(axis=1).astype(np.uint8)


def one_hot(masks: Any, classes: int) -> Tensor:
    return torch.as_tensor(np.moveaxis(np.eye(classes)[masks], -1, 1))


def brute_force(predicted: Any, truth: Any, classes: int, tolerance: float) -> tuple[Any, Any]:
    """Every boundary pixel against every other, by the definitions."""

    def edge(mask: Any) -> list[Any]:
        height, width = mask.shape
        return [
            (y, x)
            for y, x in zip(*np.nonzero(mask), strict=True)
            if any(
                not (0 <= y + v < height and 0 <= x + u < width and mask[y + v, x + u])
                for v, u in ((1, 0), (-1, 0), (0, 1), (0, -1))
            )
        ]

    hd95, nsd = (np.empty((len(truth), classes - 1)) for _ in range(2))
    for image in range(len(truth)):
        for label in range(1, classes):
            a, b = edge(predicted[image] == label), edge(truth[image] == label)
            apart = np.array([[np.hypot(p[0] - q[0], p[1] - q[1]) for q in b] for p in a])
            there, back = apart.min(axis=1), apart.min(axis=0)
            hd95[image, label - 1] = max(np.quantile(there, 0.95), np.quantile(back, 0.95))
            near = (there <= tolerance).sum() + (back <= tolerance).sum()
            nsd[image, label - 1] = near / (len(a) + len(b))
    return hd95, nsd


@pytest.mark.parametrize("sigma", [0.6, 3.0, 8.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_distances_equal_monais(sigma: float, classes: int) -> None:
    predicted, truth = (blobs(seed, classes, sigma=sigma) for seed in (0, 1))
    both = np.array([[(m == c).any() for c in range(1, classes)] for m in predicted]) & np.array(
        [[(m == c).any() for c in range(1, classes)] for m in truth]
    )
    assert both.sum() >= 5
    p, t = one_hot(predicted, classes), one_hot(truth, classes)
    hd95, nsd = surface_distances(predicted, truth, classes)
    single = np.dtype(np.float32)
    assert (hd95.shape, hd95.dtype, nsd.dtype) == ((6, classes - 1), single, single)
    expected = compute_hausdorff_distance(p, t, percentile=95, directed=False).numpy()
    np.testing.assert_allclose(hd95[both], expected[both], rtol=1e-5)
    expected = compute_surface_dice(p, t, [2.0] * (classes - 1), use_subvoxels=False).numpy()
    np.testing.assert_allclose(nsd[both], expected[both], rtol=1e-6)


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.0, 3.5])
def test_distances_equal_a_brute_force(tolerance: float) -> None:
    predicted, truth = blobs(2, images=3), blobs(3, images=3)
    ours = surface_distances(predicted, truth, 3, tolerance)
    np.testing.assert_allclose(ours, brute_force(predicted, truth, 3, tolerance), rtol=1e-6)


def test_boundaries_equal_monais_also_at_the_images_edge() -> None:
    rng = np.random.default_rng(4)
    for mask in (
        np.ones((6, 9), bool),  # the whole image: its frame is the boundary
        rng.random((9, 7)) < 0.8,
        np.eye(5, dtype=bool),
        blobs(5, images=1)[0] == 1,
    ):
        cropped, _ = get_mask_edges(mask, mask, crop=True)
        expected, _ = get_mask_edges(mask, mask, crop=False)
        assert cropped.sum() == expected.sum()
        np.testing.assert_array_equal(boundary(mask), np.argwhere(expected))
    assert len(boundary(np.ones((6, 9), bool))) == 2 * (6 + 9) - 4


def test_a_shift_gives_the_distance_it_is() -> None:
    truth = np.zeros((1, 30, 40), np.uint8)
    truth[0, 10:20, 10:20] = 1
    assert [float(v[0, 0]) for v in surface_distances(truth, truth, 2)] == [0.0, 1.0]
    dot, moved = np.zeros((2, 1, 30, 40), np.uint8)
    dot[0, 5, 5], moved[0, 8, 9] = 1, 1
    assert [float(v[0, 0]) for v in surface_distances(moved, dot, 2)] == [5.0, 0.0]
    assert float(surface_distances(moved, dot, 2, tolerance=5)[1][0, 0]) == 1.0  # inclusive


def test_distances_do_not_depend_on_which_mask_is_the_truth() -> None:
    a, b = blobs(6), blobs(7)
    np.testing.assert_array_equal(surface_distances(a, b, 3), surface_distances(b, a, 3))


def test_empty_masks_have_values() -> None:
    empty, full = np.zeros((1, 30, 40), np.uint8), np.ones((1, 30, 40), np.uint8)
    for predicted, truth, expected in (
        (empty, empty, [0.0, 1.0]),
        (empty, full, [50.0, 0.0]),  # sqrt(30^2 + 40^2)
        (full, empty, [50.0, 0.0]),
        (full, full, [0.0, 1.0]),
    ):
        assert [float(v[0, 0]) for v in surface_distances(predicted, truth, 2)] == expected
    first, last = np.zeros((2, 1, 30, 40), np.uint8)
    first[0, 0, 0] = last[0, 29, 39] = 1
    assert surface_distances(first, last, 2)[0] < 50  # the farthest that two masks can lie apart


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="hold values"):
        surface_distances(np.full((1, 4, 4), 3), np.zeros((1, 4, 4), int), 3)
