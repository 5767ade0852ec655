"""The study's augmentation on whole batches: flip, rotation and crop as one affine map an image.

torchvision's RandomHorizontalFlip, RandomRotation and RandomResizedCrop in this order draw the
same parameters from the same laws; they resample twice, where here it is done once.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.data.resize import resize

# Boxes RandomResizedCrop tries before it falls back to the centre.
ATTEMPTS = 10
# Uniform numbers an image's map is made of: angle, flip, the box's place, areas and ratios.
NUMBERS = 4 + 2 * ATTEMPTS
# Images a CPU thread samples at once: their coordinates stay in its cache (3 x as fast at 224 px).
IMAGES_PER_THREAD = 4


@dataclass(frozen=True)
class Augmentation:
    """Random flips, rotations and resized crops.

    Attributes:
        size: side of the square put out, in pixels.
        flip: probability of a horizontal flip.
        degrees: rotations about the centre are uniform on [-degrees, degrees].
        scale: the crop's share of the image's area, uniform.
        ratio: the crop's width over its height, log-uniform.
    """

    size: int
    flip: float = 0.5
    degrees: float = 7.0
    scale: tuple[float, float] = (0.85, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def keeps(self, height: int, width: int) -> bool:
        """Return whether every image of height x width pixels stays as it is, resized alone.

        Not one with unequal sides, of which even the largest box of a permitted ratio cuts some.
        """
        still = self.flip == 0 and self.degrees == 0 and self.scale[0] == 1
        return still and height == width

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw affine maps, float32 [count, 2, 3] on the CPU, for images of height x width pixels.

        A map takes the output's coordinates to the image's, both from -1 to 1 between the outer
        edges (`affine_grid` without align_corners). Every image takes equally many numbers from
        the generator, in its turn: drawn at once or in parts, the maps are the same.
        """
        chances = torch.rand(count, NUMBERS, dtype=torch.float64, generator=generator)
        return self.maps(chances, height, width)

    def maps(self, chances: Tensor, height: int, width: int) -> Tensor:
        """Make what `draw` gives of chances float64 [count, NUMBERS], uniform on [0, 1)."""
        angle = (2 * chances[:, 0] - 1) * math.radians(self.degrees)
        cosine, sine = angle.cos(), angle.sin()
        rotation = torch.stack([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)
        direction = torch.where(chances[:, 1] < self.flip, -1.0, 1.0)
        units = torch.stack([direction * 2 / width, torch.full_like(direction, 2 / height)], dim=1)
        boxes = self._boxes(chances[:, 2:4], chances[:, 4:], height, width)
        # The crop comes last, and so is the first on the way back from the output.
        return (units[..., None] * (rotation @ boxes)).float()

    def _boxes(self, places: Tensor, shapes: Tensor, height: int, width: int) -> Tensor:
        """Map the output to the box cut out, in pixels (x, y) from the image's centre.

        The law is that of `RandomResizedCrop.get_params`: of ATTEMPTS boxes the first inside the
        image, at a random place; without one the largest of a permitted ratio, at the centre.

        Args:
            places: [count, 2], shapes: [count, 2 ATTEMPTS]; both uniform on [0, 1).

        Returns:
            [count, 2, 3].
        """
        area, ratio = shapes.chunk(2, dim=1)
        area = height * width * (self.scale[0] + (self.scale[1] - self.scale[0]) * area)
        ratio = self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** ratio
        tried = torch.stack([area * ratio, area / ratio], dim=-1).sqrt().round()
        image = tried.new_tensor([width, height])
        fits = ((tried > 0) & (tried <= image)).all(dim=-1)
        first = fits.int().argmax(dim=1)  # of equal values the first
        largest = (image.flip(0) * image.new_tensor([self.ratio[1], 1 / self.ratio[0]])).round()
        has_box = fits.any(dim=1, keepdim=True)
        box = torch.where(has_box, tried[torch.arange(len(tried)), first], largest.minimum(image))
        room = image - box
        corner = torch.where(has_box, places * (room + 1), room / 2).floor()
        centre = corner + (box - image) / 2
        return torch.cat([torch.diag_embed(box / 2), centre[..., None]], dim=2)

    def apply(self, images: Tensor, maps: Tensor) -> Tensor:
        """Resample uint8 [B, H, W] or [B, H, W, 3] bilinearly by maps [B, 2, 3]; 0 outside.

        An image with a side above `size` is first brought to size x size with antialiasing, as it
        is for evaluation; maps, relative to the sides, stay as they are.

        Returns:
            float32 [B, C, size, size] from 0 to 255 on the images' device; C is 1 for grey.
        """
        channels = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
        count, depth, height, width = channels.shape
        if shrink := max(height, width) > self.size:
            height = width = self.size
        columns, rows = self._axes(maps.to(images.device), height, width)
        out = torch.empty(count, depth, self.size, self.size, device=images.device)
        on_cpu = images.device.type == "cpu"
        block = IMAGES_PER_THREAD * torch.get_num_threads() if on_cpu else max(1, count)
        for start in range(0, count, block):
            part = slice(start, start + block)
            source = channels[part].float()
            if shrink:
                source = resize(source, self.size)
            # A plane for x and one for y: grid_sample reads them faster than pairs.
            grid = (columns[part, :, None] + rows[part, ..., None]).permute(0, 2, 3, 1)
            out[part] = functional.grid_sample(source, grid, align_corners=False)
        return out

    def _axes(self, maps: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Split where the output's pixels lie in the image: the sum of a column's and a row's part.

        Returns:
            Two of [B, 2, size], (x, y) from -1 to 1 as in the maps.
        """
        # Past the centres of a crop's outermost pixels torchvision repeats these pixels. The
        # crop's sides in pixels are twice the lengths of a map's columns.
        half_image = maps.new_tensor([width, height])[:, None] / 2
        half_crop = torch.linalg.vector_norm(maps[..., :2] * half_image, dim=1)
        limit = (1 - 0.5 / half_crop)[..., None]
        pixels = (2 * torch.arange(self.size, device=maps.device) + 1) / self.size - 1
        axes = pixels.clamp(-limit, limit)
        return maps[..., :1] * axes[:, :1], maps[..., 1:2] * axes[:, 1:] + maps[..., 2:]
