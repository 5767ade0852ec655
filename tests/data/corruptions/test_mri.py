"""Artefacts of MR imaging against TorchIO's formulas, in three dimensions as it has them.

TorchIO 1.2.1 itself is no development dependency, for SimpleITK's 264 MB; its own BiasField,
Ghosting, Spike and RandomAnisotropy gave the same within 1e-4 of 255 grey values.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.data.corruptions import SEVERITIES, corrupted, mri
from omnibench.data.corruptions.kinds import Image
from tests.data.corruptions.pictures import images

Array = NDArray[Any]


def plane(side: int = 48, columns: int = 37) -> NDArray[np.float32]:
    """Return a channel [1, side, columns] as artefacts take it, of one even and one odd side."""
    return images(1, 1, side)[:, :, :columns].astype(np.float32)


def spectrum(volume: Array) -> Array:
    return np.fft.fftshift(np.fft.fftn(volume))


def image_of(lines: Array) -> Array:
    return np.fft.ifftn(np.fft.ifftshift(lines)).real


def test_the_bias_field_is_torchios_polynomial_in_three_dimensions() -> None:
    shape = (48, 36, 1)
    coefficients = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 4))
    places = (np.arange(-side / 2, side / 2) + 0.5 for side in shape)
    meshes = [mesh / (mesh.max() or 1) for mesh in np.meshgrid(*places)]
    total = np.zeros(shape)
    for i, j, k in itertools.product(range(4), repeat=3):
        if i + j + k <= 3:  # of a slice z is 0, and so all terms with z are
            weight = coefficients[i, j] if k == 0 else 0.3
            term = weight * meshes[0] ** i * meshes[1] ** j * meshes[2] ** k
            total += term.transpose(1, 0, 2)
    field = mri.polynomial_bias(shape[:2], coefficients)
    np.testing.assert_allclose(field, np.exp(total)[..., 0], rtol=1e-5)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("ghosts", [4, 6, 9])
def test_ghosts_are_weakened_lines_of_k_space(axis: int, ghosts: int) -> None:
    clean = plane()
    volume = spectrum(clean[0][..., None])
    along = np.moveaxis(volume, axis - 1, 0)
    centre = along[len(along) // 2].copy()
    along[::ghosts] *= 1 - 0.65
    along[len(along) // 2] = centre
    result = mri.with_ghosts(clean, 0.65, ghosts, axis)
    np.testing.assert_allclose(result[0], image_of(volume)[..., 0], atol=255e-5)


@pytest.mark.parametrize("place", [(0.1, 0.9), (0.5, 0.5), (0.999, 0.0)])
def test_a_spike_is_one_place_of_k_space(place: tuple[float, float]) -> None:
    clean = plane()
    volume = spectrum(clean[0][..., None])
    index = np.floor(np.array([*place, 0.7]) * volume.shape).astype(int)
    volume[tuple(index)] += abs(volume).max() * 0.6
    result = mri.with_spike(clean, 0.6, np.array(place))
    np.testing.assert_allclose(result[0], image_of(volume)[..., 0], atol=255e-5)


@pytest.mark.parametrize("side", [48, 37])
@pytest.mark.parametrize("factor", [1.5, 2, 3, 6])
def test_coarse_lines_are_nearest_down_and_linear_up(side: int, factor: float) -> None:
    line = np.random.default_rng(0).normal(size=side)
    count = math.floor(side / factor)
    centres = [(side - 1) / 2 + (step - (count - 1) / 2) * factor for step in range(count)]
    coarse = [line[math.floor(centre + 0.5)] for centre in centres]
    result = mri.coarse_lines(side, factor) @ line
    for place in range(side):
        if place <= centres[0]:
            expected = coarse[0]
        elif place >= centres[-1]:
            expected = coarse[-1]
        else:
            left = max(index for index in range(count) if centres[index] <= place)
            share = (place - centres[left]) / factor
            expected = (1 - share) * coarse[left] + share * coarse[left + 1]
        assert result[place] == pytest.approx(expected, abs=1e-5)


def test_noise_has_its_standard_deviation_and_one_field_for_all_severities() -> None:
    grey = np.full((1, 128, 128), 128, np.uint8)
    weakest, strongest = (
        corrupted(grey, "mri.noise", severity, np.arange(1)).astype(float) - 128
        for severity in (1, 3)
    )
    assert weakest.std() == pytest.approx(0.04 * 255, rel=0.02)
    assert np.corrcoef(weakest.ravel(), strongest.ravel())[0, 1] > 0.999


def test_contrast_goes_either_way_by_the_case_and_the_same_at_every_severity() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (20, 4, 1))
    signs = []
    for severity in SEVERITIES:
        after = corrupted(ramp, "mri.contrast", severity, np.arange(20))
        up, down = (255 * (np.arange(256) / 255) ** math.exp(s * severity / 10) for s in (1, -1))
        brighter = after[:, 0, 100] > 100
        expected = np.where(brighter[:, None], down, up)
        assert abs(after[:, 0] - expected).max() <= 0.51
        signs.append(brighter)
    assert (signs[0] == signs[-1]).all()
    assert 0 < signs[0].sum() < 20


def test_a_still_patient_leaves_the_image_as_it_is() -> None:
    image = images(1, 1, 64)[0]
    still = mri.motion(image, (0, 0.33), np.random.default_rng(3))
    assert abs(still.astype(int) - image).max() <= 1


@pytest.mark.parametrize("axis", [1, 2])
def test_k_space_in_parts_is_put_together_as_in_two_dimensions(axis: int) -> None:
    before, middle, after = (plane() + shift for shift in (0, 20, -9))
    before = before[:, ::-1]
    side = before.shape[axis]
    parts = [np.zeros(side, bool) for _ in range(3)]
    for part, lines in zip(parts, (slice(15), slice(15, 21), slice(21, None)), strict=True):
        part[lines] = True
    total = np.zeros(before.shape[1:], complex)
    for image, part in zip((before, middle, after), parts, strict=True):
        mask = part[:, None] if axis == 1 else part[None]
        total += np.fft.fftshift(np.fft.fft2(image[0])) * mask
    result = mri._weighted([before, middle, after], parts, axis)[0]
    np.testing.assert_allclose(result, np.fft.ifft2(np.fft.ifftshift(total)).real, atol=255e-5)


def test_all_channels_are_spoilt_alike() -> None:
    grey = images(2, 1, 40)
    colour = np.repeat(grey[..., None], 3, axis=-1)
    for name in mri.MRI.general:
        result = corrupted(colour, f"mri.{name}", 4, np.arange(2))
        assert (result == corrupted(grey, f"mri.{name}", 4, np.arange(2))[..., None]).all()


def by_hand(image: Image, turn: float, right: float, down: float) -> Array:
    """Return an image turned about its middle, then shifted, each pixel interpolated by itself."""
    side = len(image)
    angle = math.radians(turn)
    result = np.zeros((side, side))
    for row, column in itertools.product(range(side), repeat=2):
        x, y = column + 0.5 - side / 2 - right, row + 0.5 - side / 2 - down
        source = (
            math.cos(angle) * x + math.sin(angle) * y + side / 2 - 0.5,
            -math.sin(angle) * x + math.cos(angle) * y + side / 2 - 0.5,
        )
        left, top = math.floor(source[0]), math.floor(source[1])
        for corner_row, corner_column in itertools.product((top, top + 1), (left, left + 1)):
            weight = (1 - abs(source[1] - corner_row)) * (1 - abs(source[0] - corner_column))
            corner_row, corner_column = (
                min(max(place, 0), side - 1) for place in (corner_row, corner_column)
            )
            result[row, column] += weight * float(image[corner_row, corner_column])
    return result


def test_a_move_turns_about_the_middle_and_shifts_by_millimetres() -> None:
    image = images(1, 1, 32)[0]
    moved = mri._moved(image[None].astype(np.float32), np.array([7.0, 10.0, -6.0]))[0]
    expected = by_hand(image, 7, 10 * 32 / 256, -6 * 32 / 256)
    np.testing.assert_allclose(moved[6:-6, 6:-6], expected[6:-6, 6:-6], atol=1.0)


def test_motion_alone_moves_what_an_image_shows() -> None:
    moving = [name for name, corruption in mri.MRI.general.items() if corruption.moves]
    assert moving == ["motion"]
