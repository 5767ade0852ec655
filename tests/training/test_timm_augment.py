"""timm's augmentation under seeds: the same bits as timm's own, whatever was drawn before."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform

from omnibench.training.timm_augment import TimmAugmentation, posterized

POLICY = "rand-m9-mstd0.5-inc1"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 40, 30, 3)).astype(np.uint8)
AUGMENTATION = TimmAugmentation(24, 0.5, 0.08, POLICY, 0.25, MEAN, STD)


def test_an_image_is_that_of_timm_as_retfound_calls_it() -> None:
    create: Any = create_transform
    reference = create(
        input_size=24,
        is_training=True,
        color_jitter=None,
        auto_augment=POLICY,
        interpolation="bicubic",
        re_prob=0.25,
        re_mode="pixel",
        re_count=1,
        mean=MEAN,
        std=STD,
    )
    for grey in (False, True):
        images = IMAGES[..., 0] if grey else IMAGES
        for seed in range(8):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            expected = reference(Image.fromarray(images[seed % 4]).convert("RGB"))
            actual = AUGMENTATION(images[seed % 4][None], [seed])
            assert torch.equal(actual[0], expected)


@pytest.mark.parametrize("bits", range(9))
def test_so_many_bits_of_each_channel_are_kept(bits: int) -> None:
    actual = posterized(Image.fromarray(IMAGES[0]), bits)
    assert np.array_equal(np.asarray(actual), IMAGES[0] & (0xFF << (8 - bits) & 0xFF))


def test_an_image_of_which_timm_keeps_no_bit_is_augmented() -> None:
    strongest = TimmAugmentation(8, 0.0, 1.0, "rand-m10-inc1", 0.0, (0, 0, 0), (1, 1, 1))
    augmented = strongest(np.repeat(IMAGES[:1] | 128, 200, axis=0), range(200))
    assert (augmented.flatten(1).amax(dim=1) == 0).any()


def numpys_state() -> Any:
    state: Any = np.random.get_state()  # noqa: NPY002
    return state[1].tolist()


def test_draws_follow_from_the_seed_alone_and_leave_the_generators_alone() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    states = random.getstate(), numpys_state(), torch.get_rng_state()
    whole = AUGMENTATION(IMAGES, [5, 6, 7, 8])
    assert random.getstate() == states[0]
    assert numpys_state() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    torch.manual_seed(2)
    assert torch.equal(AUGMENTATION(IMAGES[2:], [7, 8]), whole[2:])
    assert not torch.equal(AUGMENTATION(IMAGES[2:], [9, 8])[0], whole[2])
