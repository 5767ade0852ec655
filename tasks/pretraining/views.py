"""DINOv2's augmentation (Oquab et al. 2023) of grey images, in batches on the images' device.

Two of its operations do nothing to a grey image and are left out: RandomGrayscale, and
ColorJitter's saturation and hue. Resampling is bilinear with antialiasing where DINOv2's is
bicubic; values stay fractional where Pillow rounds them after every operation.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from omnibench.training.augment import NUMBERS, Augmentation

# Pixels on each side of a blur's centre (its kernel has 9), and the range of its sigma.
REACH = 4
SIGMA = (0.1, 2.0)
SOLARISE_FROM = 128
# DINOv2's blurring of the first and the second global crop as it names it, after BYOL and DINO.
GLOBAL_BLUR = (1.0, 0.1)
# The same as its code runs: it hands 1 - p to torchvision's RandomApply, which applies with p
# (dinov2 pull request 411, dinov3 issue 286, where the authors confirm it). Local crops keep 0.5.
GLOBAL_BLUR_AS_RUN = (0.0, 0.9)


@dataclass(frozen=True)
class Draws:
    """What was drawn for n images, on the CPU.

    Attributes:
        maps: float32 [n, 2, 3], from a view's coordinates to the image's (`Augmentation.draw`).
        factors: float32 [n, 2], of brightness and contrast; 1 changes nothing.
        contrast_first: bool [n], whether contrast comes before brightness.
        sigma: float32 [n], of the blur in pixels; 0 for none.
        solarised: bool [n].
    """

    maps: Tensor
    factors: Tensor
    contrast_first: Tensor
    sigma: Tensor
    solarised: Tensor

    def rows(self, places: Tensor) -> "Draws":
        """The draws of some of the images."""
        return Draws(*(getattr(self, field.name)[places] for field in fields(self)))


@dataclass(frozen=True)
class View:
    """One random view of an image: crop, flip, jitter, blur, solarise, in this order.

    Attributes:
        size: side of the square put out, in pixels; at least 5, for the blur reflects 4.
        scale: the crop's share of the image's area, uniform.
        blur: probability of a Gaussian blur, its sigma uniform on SIGMA.
        solarise: probability that values from SOLARISE_FROM up are inverted.
        jitter: probability of new brightness and contrast, in random order.
        brightness, contrast: their factors are uniform on [1 - x, 1 + x].
        flip: probability of a horizontal flip.
        ratio: the crop's width over its height, log-uniform.
    """

    size: int
    scale: tuple[float, float]
    blur: float
    solarise: float = 0.0
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    flip: float = 0.5
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Draws:
        """Draw for `count` images of height x width pixels.

        Every image takes equally many numbers from the generator, in its turn: drawn at once or
        in parts, the draws are the same.
        """
        chances = torch.rand(count, NUMBERS + 7, dtype=torch.float64, generator=generator)
        jitter, brightness, contrast, order, blur, sigma, solarise = chances[:, NUMBERS:].unbind(1)
        spans = chances.new_tensor([self.brightness, self.contrast])
        factors = 1 + spans * (2 * torch.stack([brightness, contrast], dim=1) - 1)
        # The law of torchvision's RandomResizedCrop; the rotation is by no angle.
        boxes = Augmentation(self.size, self.flip, 0.0, self.scale, self.ratio)
        return Draws(
            maps=boxes.maps(chances[:, :NUMBERS], height, width),
            factors=torch.where(jitter[:, None] < self.jitter, factors, 1.0).float(),
            contrast_first=order < 0.5,
            sigma=torch.where(
                blur < self.blur, SIGMA[0] + (SIGMA[1] - SIGMA[0]) * sigma, 0
            ).float(),
            solarised=solarise < self.solarise,
        )

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Make the views of uint8 [n, H, W], by the draws for images of that size.

        Returns:
            float32 [n, 1, size, size] from 0 to 255 on the images' device, under autocast too.
        """
        with torch.autocast(images.device.type, enabled=False):
            pixels = _crop(images, draws.maps.to(images.device), self.size)
            pixels = _jitter(pixels, draws)
            blurred = draws.sigma.nonzero()[:, 0]
            pixels[blurred] = _blur(pixels[blurred], draws.sigma[blurred])
        solarised = draws.solarised.to(images.device)[:, None, None] & (pixels >= SOLARISE_FROM)
        return torch.where(solarised, 255 - pixels, pixels)[:, None]


def global_views(
    size: int, scale: tuple[float, float], blur: tuple[float, float] = GLOBAL_BLUR
) -> tuple[View, View]:
    """DINOv2's two global crops; `blur` holds the probability of each."""
    return View(size, scale, blur[0]), View(size, scale, blur[1], solarise=0.2)


def local_view(size: int, scale: tuple[float, float]) -> View:
    """DINOv2's local crop."""
    return View(size, scale, blur=0.5)


def _crop(images: Tensor, maps: Tensor, size: int) -> Tensor:
    """Cut and resize [n, H, W] to [n, size, size] by maps without rotation.

    It is torchvision's `resized_crop` with antialiasing. `Augmentation.apply` shrinks larger images
    to `size` first, which leaves a crop of a third of the area about 0.6 of its resolution.
    """
    columns, rows = (
        _resampling(maps[:, axis, axis], maps[:, axis, 2], side, size)
        for axis, side in enumerate((images.shape[2], images.shape[1]))
    )
    return rows @ images.float() @ columns.mT


def _resampling(scale: Tensor, shift: Tensor, side: int, size: int) -> Tensor:
    """Weights of `side` pixels in each of a crop's `size`, [n, size, side].

    Triangles as wide as the coarser of both pixels; none reaches past the crop's edges.

    Args:
        scale, shift: [n]; the crop spans shift - |scale| to shift + |scale| of -1 to 1, whole
            pixels up to rounding; with a negative scale it is flipped.
    """
    crop = (scale.abs() * side).round()[:, None]
    start = ((shift[:, None] + 1) * side / 2 - crop / 2).round()
    places = torch.arange(size, device=scale.device) + 0.5
    centres = start + crop / size * torch.where(scale[:, None] < 0, size - places, places)
    pixels = torch.arange(side, device=scale.device) + 0.5
    reach = (crop / size).clamp(min=1)
    weights = (pixels - centres[..., None]).abs_().div_(-reach[..., None]).add_(1).clamp_(min=0)
    weights *= ((pixels > start) & (pixels < start + crop))[:, None]
    return weights.div_(weights.sum(dim=2, keepdim=True))


def _jitter(pixels: Tensor, draws: Draws) -> Tensor:
    """Change brightness and contrast of [n, S, S] in the drawn order, clamped after each.

    Both blend with a constant, as torchvision's do: brightness with 0, contrast with the mean.
    """
    first = draws.contrast_first
    for contrast in (first, ~first):
        factor = torch.where(contrast, draws.factors[:, 1], draws.factors[:, 0])
        weight = torch.where(contrast, 1 - factor, 0).to(pixels.device)[:, None, None]
        mean = pixels.mean(dim=(1, 2), keepdim=True)
        pixels = (pixels * factor.to(pixels.device)[:, None, None] + weight * mean).clamp_(0, 255)
    return pixels


def _blur(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Blur [n, S, S] by sigma [n], reflected at the edges: torchvision's `gaussian_blur`.

    Both passes are products with one banded matrix an image, whatever its sigma.
    """
    count, size, _ = pixels.shape
    steps = torch.arange(-REACH, REACH + 1)
    kernels = torch.softmax(-((steps / sigma[:, None]) ** 2) / 2, dim=1)
    places = (torch.arange(size)[:, None] + steps).abs()
    places = size - 1 - (size - 1 - places).abs()
    bands = kernels.new_zeros(count, size, size).scatter_add_(
        2, places.expand(count, -1, -1), kernels[:, None].expand(-1, size, -1)
    )
    bands = bands.to(pixels.device)
    return bands @ pixels @ bands.mT
