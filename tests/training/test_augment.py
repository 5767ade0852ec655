import math
from typing import Any

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as reference

from omnibench.training.augment import Augmentation

DRAWS = 3000
PLAIN: dict[str, Any] = {"flip": 0.0, "degrees": 0.0, "scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
BILINEAR = InterpolationMode.BILINEAR


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(1))


def parameters(maps: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flip, angle in degrees, and the box (left, top, width, height) of maps [B, 2, 3]."""
    half = torch.tensor([width, height]) / 2
    pixels = maps.double() * half[:, None]
    flip = torch.linalg.det(pixels[:, :, :2]) < 0
    pixels[flip, 0] *= -1
    angle = torch.atan2(pixels[:, 1, 0], pixels[:, 0, 0])
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    crop = rotation.mT @ pixels
    box = 2 * crop.diagonal(dim1=1, dim2=2)
    return flip, angle.rad2deg(), torch.cat([crop[:, :, 2] + half - box / 2, box], dim=1)


def torchvisions(images: Tensor, maps: Tensor, size: int) -> Tensor:
    """What torchvision makes of float images [B, C, H, W], op after op, by the maps' parameters."""
    height, width = images.shape[-2:]
    out = []
    for image, flip, angle, box in zip(images, *parameters(maps, height, width), strict=True):
        left, top, across, down = box.round().int().tolist()
        turned = reference.rotate(
            reference.hflip(image) if flip else image, angle.item(), interpolation=BILINEAR
        )
        out.append(
            reference.resized_crop(turned, top, left, down, across, [size, size], antialias=True)
        )
    return torch.stack(out)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (60, 90), (40, 200), (200, 40)])
def test_parameters_follow_torchvisions_laws(height: int, width: int) -> None:
    augmentation = Augmentation(28)
    maps = augmentation.draw(DRAWS, height, width, seeded())
    flip, angle, box = parameters(maps, height, width)
    assert torch.allclose(box, box.round(), atol=1e-4)
    image = torch.empty(1, height, width)
    crop = (list(augmentation.scale), list(augmentation.ratio))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        boxes = [transforms.RandomResizedCrop.get_params(image, *crop) for _ in range(DRAWS)]
        angles = [transforms.RandomRotation.get_params([-7.0, 7.0]) for _ in range(DRAWS)]
    top, left, down, across = torch.tensor(boxes).double().T
    theirs = torch.stack([left, top, across, down], dim=1)

    def laws(box: Tensor) -> list[Tensor]:
        left, top, across, down = box.T
        return [left, top, across, down, across * down, across / down, left - top]

    for ours, others in zip(laws(box.round()), laws(theirs), strict=True):
        assert ks_2samp(ours, others).pvalue > 0.01
    assert ks_2samp(angle, angles).pvalue > 0.01
    assert abs(flip.double().mean() - 0.5) < 2.6 * math.sqrt(0.25 / DRAWS)


def test_flip_angle_and_box_are_independent() -> None:
    flip, angle, box = parameters(Augmentation(28).draw(DRAWS, 90, 90, seeded()), 90, 90)
    columns = torch.stack([flip.double(), angle, box[:, 2] * box[:, 3], box[:, 2] / box[:, 3]])
    correlations = torch.corrcoef(columns) - torch.eye(4)
    assert correlations.abs().max() < 3.5 / math.sqrt(DRAWS)


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_flips_come_at_their_probability(probability: float) -> None:
    maps = Augmentation(28, flip=probability).draw(DRAWS, 28, 28, seeded())
    flip, _, _ = parameters(maps, 28, 28)
    error = 2.6 * math.sqrt(probability * (1 - probability) / DRAWS)
    assert abs(flip.double().mean() - probability) <= error


def test_draws_do_not_depend_on_how_they_are_cut() -> None:
    augmentation, generator = Augmentation(28), seeded()
    whole = augmentation.draw(40, 28, 28, seeded())
    parts = [augmentation.draw(count, 28, 28, generator) for count in (1, 26, 13)]
    assert torch.equal(whole, torch.cat(parts))
    images = noise(40, 28, 28)
    pixels = augmentation.apply(images, whole)
    assert torch.equal(pixels[3:8], augmentation.apply(images[3:8], whole[3:8]))


@pytest.mark.parametrize("shape", [(6, 28, 28), (6, 28, 20), (6, 28, 28, 3)])
@pytest.mark.parametrize("only", [{"flip": 1.0}, {"scale": (0.3, 1.0), "ratio": (0.5, 2.0)}])
def test_one_operation_alone_equals_torchvisions(
    shape: tuple[Any, ...], only: dict[str, Any]
) -> None:
    images = noise(*shape)
    channels = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    augmentation: Any = Augmentation(96, **{**PLAIN, "ratio": (0.5, 2.0), **only})
    maps = augmentation.draw(6, *shape[1:3], seeded())
    ours = augmentation.apply(images, maps)
    assert ours.dtype == torch.float32
    assert ours.shape == (6, channels.shape[1], 96, 96)
    assert torch.allclose(ours, torchvisions(channels.float(), maps, 96), atol=0.01)


def test_rotation_alone_equals_torchvisions() -> None:
    images = noise(6, 96, 96)
    augmentation = Augmentation(96, **{**PLAIN, "degrees": 40.0})
    maps = augmentation.draw(6, 96, 96, seeded())
    ours = augmentation.apply(images, maps)
    assert ours.shape == (6, 1, 96, 96)
    assert (ours == 0).float().mean() > 0.01  # the corners
    assert torch.allclose(ours, torchvisions(images[:, None].float(), maps, 96), atol=0.02)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 64)])
def test_the_sequence_equals_torchvisions_up_to_its_second_smoothing(
    height: int, width: int
) -> None:
    coarse = torch.rand(8, 1, 6, 6, generator=seeded()) * 255
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    images = smooth.clamp(0, 255).byte()[:, 0]
    augmentation = Augmentation(64, degrees=15.0, scale=(0.5, 1.0))
    maps = augmentation.draw(8, height, width, seeded(2))
    difference = augmentation.apply(images, maps) - torchvisions(images[:, None].float(), maps, 64)
    inside = torchvisions(torch.ones(8, 1, height, width), maps, 64) > 0.999
    assert inside.float().mean() > 0.95
    # Of 255; a shift by half a pixel would make a mean of about 4.
    assert difference[inside].abs().mean() < 0.5
    assert difference[inside].abs().max() < 8


def test_large_images_are_resized_as_for_evaluation() -> None:
    images = noise(2, 90, 120)
    augmentation = Augmentation(32, **{**PLAIN, "ratio": (0.5, 2.0)})
    whole = torch.eye(2, 3).expand(2, 2, 3)
    resized = reference.resize(images[:, None].float(), [32, 32], BILINEAR, antialias=True)
    assert torch.allclose(augmentation.apply(images, whole), resized, atol=0.01)


def test_no_images_give_no_pixels() -> None:
    augmentation = Augmentation(32)
    maps = augmentation.draw(0, 28, 28, seeded())
    assert augmentation.apply(noise(0, 28, 28), maps).shape == (0, 1, 32, 32)
