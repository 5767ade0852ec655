import numpy as np
import pytest
import torch
from torch.nn import functional

from omnibench.tasks.interactive.knn import REACH, Axis, Features, NearestClicks
from omnibench.tasks.interactive.simulators import Click

SIZE = (24, 20)


def random_maps(seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = ((5, 6, 5), (7, 3, 3), (4, 3, 3))
    return [random.normal(3, 2, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(("new", "old"), [(24, 6), (20, 3), (5, 5), (7, 1), (6, 3)])
def test_an_axis_interpolates_as_torch_does(new: int, old: int) -> None:
    line = torch.randn(1, 1, old, 1, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(line, (new, 1), mode="bilinear")[0, 0, :, 0]
    axis, samples = Axis.from_lengths(new, old), line[0, 0, :, 0].numpy()
    assert axis.interpolated(samples) == pytest.approx(expected.numpy(), abs=1e-6)
    some = slice(1, new - 1)
    assert axis.weights(some, old) @ samples == pytest.approx(float(expected[some].sum()), abs=1e-5)


def reference(maps: list[np.ndarray]) -> torch.Tensor:
    """Features [D, h, w] by torch: each level standardised, of length 1, enlarged, joined."""
    levels = []
    for level in map(torch.from_numpy, maps):
        mean, std = (f(level, (1, 2), keepdim=True) for f in (torch.mean, torch.std))
        n = level[0].numel()
        own = functional.normalize((level - mean) / (std * ((n - 1) / n) ** 0.5), dim=0)
        levels.append(functional.interpolate(own[None], maps[0].shape[1:], mode="bilinear")[0])
    return functional.normalize(torch.cat(levels), dim=0)


def test_features_are_the_levels_standardised_and_joined() -> None:
    maps = random_maps()
    expected = reference(maps)
    features = Features.from_maps(maps, SIZE)
    assert features.grid.transpose(2, 0, 1) == pytest.approx(expected.numpy(), abs=1e-4)
    # A backbone whose every feature points one way says the same once that is taken away.
    shifted = Features.from_maps([level + 100 for level in maps], SIZE)
    assert shifted.grid == pytest.approx(features.grid, abs=1e-3)


def brute_force(maps: list[np.ndarray], clicks: list[Click]) -> np.ndarray:
    """The mask by its definition, a pixel at a time; cosines are interpolated from the grid."""
    grid = reference(maps)
    pixels = functional.interpolate(grid[None], SIZE, mode="bilinear")[0]
    likeness: dict[int, list[np.ndarray]] = {1: [np.full(SIZE, -np.inf)], -1: [np.zeros(SIZE)]}
    for row, column, sign in clicks:
        feature = functional.normalize(pixels[:, row, column], dim=0)
        cosines = functional.interpolate(
            torch.einsum("d,dhw->hw", feature, grid)[None, None], SIZE, mode="bilinear"
        )[0, 0].numpy()
        distance = [[np.hypot(r - row, c - column) for c in range(SIZE[1])] for r in range(SIZE[0])]
        likeness[sign].append(cosines - REACH * np.array(distance) / np.hypot(*SIZE))
    mask: np.ndarray = np.max(likeness[1], axis=0) > np.max(likeness[-1], axis=0)
    for row, column, sign in clicks:
        mask[row, column] = sign > 0
    return mask


def test_masks_are_those_of_the_definition() -> None:
    for seed in range(5):
        maps = random_maps(seed)
        random = np.random.default_rng(seed)
        places = [(int(random.integers(24)), int(random.integers(20))) for _ in range(5)]
        signs = (1, -1, 1, -1, -1)
        clicks = [Click(*place, sign) for place, sign in zip(places, signs, strict=True)]
        method = NearestClicks(Features.from_maps(maps, SIZE), None)
        assert not method.start().any()
        mask = method.start()
        for k in range(1, 6):
            mask = method.mask(clicks[:k], mask)
            assert (mask == brute_force(maps, clicks[:k])).mean() > 0.995  # ties in the last bits


def test_a_clicked_pixel_is_what_the_last_click_on_it_said() -> None:
    method = NearestClicks(Features.from_maps(random_maps(), SIZE), None)
    clicks = [Click(5, 5, 1), Click(5, 6, -1), Click(5, 5, -1)]
    masks = [method.mask(clicks[: k + 1], np.zeros(SIZE, np.bool_)) for k in range(3)]
    assert [mask[5, 5] for mask in masks] == [True, True, False]
    assert not masks[2][5, 6]


def test_a_box_starts_a_mask_and_confines_every_other() -> None:
    maps = [np.zeros((2, 6, 5), np.float32)] * 3
    for level in maps:
        level[:, 2:4, 1:4] = 1  # what the box shows is unlike the rest
    box = (slice(8, 16), slice(4, 16))
    method = NearestClicks(Features.from_maps(maps, SIZE), box)
    mask = method.start()
    assert mask[box].mean() > 0.8
    assert not np.delete(mask, np.r_[box[0]], axis=0).any()
    mask = method.mask([Click(10, 6, 1)], mask)
    assert not np.delete(mask, np.r_[box[0]], axis=0).any()


def test_maps_that_say_nothing_leave_the_distance_alone() -> None:
    """Constant maps have no direction: pixels go to the nearest click, none is like the first."""
    method = NearestClicks(Features.from_maps([np.ones((3, 6, 5), np.float32)] * 3, SIZE), None)
    mask = method.mask([Click(5, 5, 1)], method.start())
    assert np.argwhere(mask).tolist() == [[5, 5]]
