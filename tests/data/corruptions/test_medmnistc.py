"""MedMNIST-C's formulas, written out image by image as its package has them.

The package itself (medmnistc 0.1.0) is no development dependency: it pins medmnist 3.0.1 and
scikit-image 0.23.2, and needs OpenCV and ImageMagick. Its own classes gave the same bytes.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy import stats
from skimage.util import random_noise
from torchvision.transforms import functional

from omnibench.data.corruptions import SETS, SEVERITIES, corrupted, filters, noise
from omnibench.data.corruptions.medmnistc import MEDMNISTC
from tests.data.corruptions.pictures import images

Array = NDArray[Any]
Change = Callable[[Image.Image, Any], Image.Image]
NOWHERE = np.random.default_rng(0)


def boxes(picture: Image.Image, level: float) -> Image.Image:
    width, height = picture.size
    small = picture.resize((int(width * level), int(height * level)), Image.Resampling.BOX)
    return small.resize((width, height), Image.Resampling.BOX)


def compressed(picture: Image.Image, level: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=level)
    return Image.open(file)


BY_HAND: dict[str, Change] = {
    "pixelate": boxes,
    "jpeg-compression": compressed,
    "brightness-up": lambda picture, level: ImageEnhance.Brightness(picture).enhance(level),
    "brightness-down": lambda picture, level: ImageEnhance.Brightness(picture).enhance(level),
    "contrast-up": lambda picture, level: ImageEnhance.Contrast(picture).enhance(level),
    "contrast-down": lambda picture, level: ImageEnhance.Contrast(picture).enhance(level),
    "gamma-up": lambda picture, level: functional.adjust_gamma(picture, level, gain=1),
    "gamma-down": lambda picture, level: functional.adjust_gamma(picture, level, gain=1),
}


def from_rgb(image: Array, change: Change, level: Any) -> Array:
    """Return what a change of the RGB picture makes of an image, made grey again where it was."""
    after = change(Image.fromarray(image).convert("RGB"), level)
    return np.asarray(after.convert("L") if image.ndim == 2 else after)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", list(BY_HAND))
def test_what_draws_no_numbers_is_byte_for_byte_what_the_rgb_picture_gives(
    name: str, channels: int
) -> None:
    batch = images(2, channels, 224)
    for dataset in ("breastmnist", "pneumoniamnist", "organsmnist"):
        levels = MEDMNISTC.corruption(name, dataset).levels
        for severity in SEVERITIES:
            after = corrupted(batch, name, severity, np.arange(2), dataset)
            for image, result in zip(batch, after, strict=True):
                assert (from_rgb(image, BY_HAND[name], levels[severity - 1]) == result).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["gaussian", "speckle"])
def test_noise_is_byte_for_byte_that_of_the_same_normal_numbers(name: str, channels: int) -> None:
    image = images(1, channels, 224)[0]
    for level in (0.04, 0.18, 0.45):
        values = np.array(Image.fromarray(image).convert("RGB")) / 255.0
        drawn = RandomState(3).normal(size=values.shape, scale=level)
        by_hand = np.clip(values + (drawn if name == "gaussian" else values * drawn), 0, 1)
        expected = Image.fromarray((by_hand * 255).astype(np.uint8))
        normal = RandomState(3).normal(size=values.shape).transpose(2, 0, 1)
        planes = image if channels == 1 else image.transpose(2, 0, 1)
        change = noise.with_gaussian if name == "gaussian" else noise.with_speckle
        result = noise.from_planes(change(planes, level, normal), grey=channels == 1)
        assert (result == np.asarray(expected.convert("L" if channels == 1 else "RGB"))).all()


def test_noise_in_single_precision_is_off_by_no_more_than_one_grey_value() -> None:
    image = images(1, 1, 224)[0]
    normal = np.random.default_rng(0).normal(size=(3, 224, 224))
    exact = noise.with_gaussian(image, 0.12, normal).astype(int)
    single = noise.with_gaussian(image, 0.12, normal.astype(np.float32))
    assert abs(exact - single).max() <= 1
    assert (exact != single).mean() < 1e-3


def test_the_field_is_standard_normal_in_every_channel() -> None:
    table = noise.normal().astype(float)
    assert abs(table.mean()) < 1e-6
    assert table.var() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(
        table[::1000], stats.norm.ppf((np.arange(noise.STEPS)[::1000] + 0.5) / noise.STEPS), 1e-6
    )


def test_shot_noise_is_the_poisson_quantile_of_its_field() -> None:
    field = np.random.default_rng(1).integers(0, noise.STEPS, (3, 40, 40), np.uint16)
    image = images(1, 1, 40)[0]
    image[0], image[1] = 0, 255
    for level in (5, 60, 300):
        counts = stats.poisson.ppf((field + 0.5) / noise.STEPS, image / 255 * level)
        by_hand = (np.clip(counts / level, 0, 1) * 255).astype(np.uint8)
        assert (noise.with_shots(image, level, field) == by_hand).all()


def test_impulses_have_the_shares_of_skimage_and_only_grow() -> None:
    grey = np.full((200, 200), 100, np.uint8)
    field = np.random.default_rng(1).integers(0, noise.STEPS, (3, 200, 200), np.uint16)
    before = noise.with_impulses(grey, 0.0, field)
    assert (before == 100).all()
    for level in (0.01, 0.09, 0.17):
        after = noise.with_impulses(grey, level, field)
        peers = random_noise(np.full((3, 200, 200), 0.4), "s&p", amount=level, rng=2)
        for value, peer in ((0, 0.0), (255, 1.0)):
            share, expected = (after == value).mean(), (peers == peer).mean()
            assert share == pytest.approx(level / 2, rel=0.1)
            assert share == pytest.approx(expected, rel=0.2)
        assert (after[before != 100] == before[before != 100]).all()
        before = after


@pytest.mark.parametrize("channels", [1, 3])
def test_gaussian_blur_is_torchvisions(channels: int) -> None:
    image = images(1, channels, 96)[0]
    for level in (3, 11, 21):
        by_hand = from_rgb(image, functional.gaussian_blur, level)
        result = filters.gaussian_blur(image, level, NOWHERE)
        assert abs(result.astype(int) - by_hand).max() <= 1
        assert (result != by_hand).mean() < 0.01


def test_motion_blur_is_the_weighted_mean_along_a_line() -> None:
    image = images(1, 1, 24)[0]
    radius, sigma = 5, 4.0
    angle = math.radians(np.random.default_rng(9).uniform(-45, 45))
    weights = {step: math.exp(-(step**2) / (2 * sigma**2)) for step in range(-radius, radius + 1)}
    result = filters.motion_blur(image, (radius, sigma), np.random.default_rng(9))
    for row in range(24):
        for column in range(24):
            total = sum(
                weight
                * float(
                    image[
                        min(max(row - round(step * math.sin(angle)), 0), 23),
                        min(max(column - round(step * math.cos(angle)), 0), 23),
                    ]
                )
                for step, weight in weights.items()
            )
            assert abs(result[row, column] - total / sum(weights.values())) < 0.51


def test_datasets_have_the_lists_of_the_paper_whatever_their_size() -> None:
    assert list(SETS["medmnistc"].of_dataset("breastmnist-28")) == [
        "pixelate", "jpeg-compression", "speckle-noise", "motion-blur",
        "brightness-up", "brightness-down", "contrast-down",
    ]  # fmt: skip
    assert len(MEDMNISTC.of_dataset("pneumoniamnist")) == 13
    # A local file is known by its name.
    assert MEDMNISTC.of_dataset("npz-breastmnist_224") == MEDMNISTC.of_dataset("breastmnist")
    assert MEDMNISTC.of_dataset("organamnist") == MEDMNISTC.of_dataset("organsmnist")
    assert MEDMNISTC.of_dataset("phantom") == MEDMNISTC.general
    assert MEDMNISTC.corruption("pixelate", "pneumoniamnist").levels == (0.8, 0.7, 0.6, 0.5, 0.4)


def test_a_corruption_beyond_a_datasets_list_has_the_general_levels() -> None:
    assert "gaussian-noise" not in MEDMNISTC.of_dataset("breastmnist")
    own = MEDMNISTC.corruption("gaussian-noise", "breastmnist")
    assert own == MEDMNISTC.general["gaussian-noise"]
