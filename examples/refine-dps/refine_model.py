"""What `dps` trains: a head on frozen maps, a denoiser of maps, and the refinement of both."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from refine_solver import (
    LEVELS,
    Solver,
    bank_of,
    block_means,
    blurred,
    signal_shares,
    spread_out,
    start_of,
)
from torch import Tensor, nn
from torch.nn import functional

from omnibench import Batch, MapAnswers, MapInputs, MapModel, Maps, errors

PATCH, WIDTH, NARROW, BANK_IMAGES = 2, 32, 16, 8  # pixels, channels, images
TRAINING, BANKING, REFINING = 0, 1, 2  # streams of random numbers
Rows = NDArray[np.int64]


class Head(nn.Module):
    """Adds to an image, at its size, what a backbone's maps at the blocks' size tell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, NARROW, 1)
        self.layers = nn.Sequential(
            nn.Conv2d(1 + NARROW, NARROW, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(NARROW, NARROW, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(NARROW, 1, 3, padding=1),
        )

    def forward(self, images: Tensor, known: Tensor) -> Tensor:
        """Return maps [B, H, W] of images [B, H, W] and maps [B, C, h, w]."""
        large = functional.interpolate(self.reduce(known), images.shape[1:], mode="bilinear")
        added: Tensor = self.layers(torch.cat([images[:, None], large], dim=1))
        return images + added[:, 0]


class Denoiser(nn.Module):
    """The velocity [B, H, W] of noisy maps, given their level and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Embedding(LEVELS, WIDTH)
        self.first = nn.Conv2d(PATCH**2, WIDTH, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(4))
        self.norms = nn.ModuleList(nn.GroupNorm(8, WIDTH) for _ in range(4))
        self.last = nn.Conv2d(WIDTH, PATCH**2, 3, padding=1)

    def forward(self, noisy: Tensor, levels: Tensor) -> Tensor:
        x = self.first(functional.pixel_unshuffle(noisy[:, None], PATCH))
        shift = self.level(levels)[:, :, None, None]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(functional.silu(norm(x) + shift))
        return functional.pixel_shuffle(self.last(x), PATCH)[:, 0]


class Refined(MapModel):
    """A head's output, refined by a denoiser until it fits what the image shows of its blocks."""

    def __init__(self, inputs: MapInputs, block: int, mismatched: bool) -> None:
        super().__init__()
        self.inputs, self.block, self.mismatched = inputs, block, mismatched
        facts = inputs.dataset.card.maps
        assert facts is not None
        self.low, self.high = facts.range
        everything = np.arange(len(inputs.dataset.splits["train"]))
        maps = self.maps(everything)
        self.mean, self.std = float(maps.mean()), float(maps.std())
        known = self.levels("train", everything)
        self.centre = nn.Buffer(known.mean(dim=(0, 2, 3), keepdim=True))
        self.scale = nn.Buffer(known.std(dim=(0, 2, 3), keepdim=True) + 1e-6)
        self.head, self.denoiser = Head(known.shape[1]), Denoiser()
        self.shares = nn.Buffer(signal_shares())

    def maps(self, rows: Rows) -> Tensor:
        """Return the true maps [B, H, W] of training images."""
        maps = self.inputs.dataset.target("train", "maps", Maps).read_rows(rows)[0]
        return torch.from_numpy(maps).to(self.inputs.device)

    def images(self, split: str, rows: Rows) -> Tensor:
        """Return images [B, H, W] as standardised maps."""
        read = torch.from_numpy(self.inputs.dataset.splits[split].images.read_rows(rows)).float()
        grey = read if read.ndim == 3 else read.mean(dim=3)
        values = self.low + (self.high - self.low) * grey.to(self.inputs.device) / 255
        return (values - self.mean) / self.std

    def levels(self, split: str, rows: Rows) -> Tensor:
        """Return the backbone's maps [B, C, h, w] of all levels, at the size of the blocks."""
        levels = [level.float() for level in self.inputs.maps.read(split, rows)]
        size = [side // self.block for side in self.inputs.dataset.splits[split].images.shape[1:3]]
        resized = [functional.interpolate(level, size, mode="bilinear") for level in levels]
        return torch.cat(resized, dim=1).to(self.inputs.device)

    def predicted(self, split: str, rows: Rows) -> Tensor:
        """Return the head's standardised maps [B, H, W]."""
        known = (self.levels(split, rows) - self.centre) / self.scale
        output: Tensor = self.head(self.images(split, rows), known)
        return output

    def operator(self, maps: Tensor) -> Tensor:
        """Return what is measured of maps, as the solver believes."""
        return block_means(blurred(maps) if self.mismatched else maps, self.block)

    def loss(self, batch: Batch) -> Tensor:
        """Return the head's absolute error and the denoiser's square of the velocity."""
        rows = batch.rows.numpy()
        truth = (self.maps(rows) - self.mean) / self.std
        # Drawn for the whole batch, so that its parts have the draws that it has as one.
        random = np.random.default_rng([self.inputs.seed, TRAINING, batch.step])
        count = len(batch.whole)
        drawn = (
            random.integers(LEVELS, size=count),
            random.standard_normal((count, *truth[0].shape)),
        )
        levels, noise = (torch.from_numpy(d)[batch.places].to(truth.device) for d in drawn)
        noise = noise.to(truth.dtype)
        share = self.shares[levels][:, None, None]
        speed = self.denoiser(share.sqrt() * truth + (1 - share).sqrt() * noise, levels)
        target = share.sqrt() * noise - (1 - share).sqrt() * truth
        loss = functional.l1_loss(self.predicted("train", rows), truth)
        loss = loss + functional.mse_loss(speed, target)
        return loss * len(rows) / count

    def predict(self, split: str, rows: Rows) -> MapAnswers:
        """Return refined maps; as views those before, and those before with corrected blocks."""
        answers: dict[str, list[Tensor]] = {"refined": [], "before": [], "projected": []}
        counts = []
        for row in rows:  # one by one, so that no image's bits depend on the others'
            given = self.predicted(split, np.array([row]))
            measured = block_means(self.images(split, np.array([row])), self.block)
            missing = measured - self.operator(given)
            refined, count = self.refined(given, measured, missing, row)
            projected = given + spread_out(missing, self.block)
            for name, maps in zip(answers, (refined, given, projected), strict=True):
                answers[name].append(maps * self.std + self.mean)
            counts.append(count)
        maps = {name: torch.cat(each).cpu().numpy() for name, each in answers.items()}
        return MapAnswers(maps.pop("refined"), maps, {"steps": np.array(counts, np.float64)})

    def refined(
        self, given: Tensor, measured: Tensor, missing: Tensor, row: int
    ) -> tuple[Tensor, int]:
        """Return a refined map and its steps, of which its residual decides how many."""
        start = start_of(float(torch.linalg.vector_norm(missing)), self.bank)
        noise = self.noise(REFINING, row).to(given)
        noisy = self.shares[start].sqrt() * given + (1 - self.shares[start]).sqrt() * noise
        return self.solver.run(measured, noisy, start, given)[0], start + 1

    @functools.cached_property
    def bank(self) -> list[float]:
        """Return the losses of validation images that are sampled from noise alone."""
        runs = []
        for row in range(min(BANK_IMAGES, len(self.inputs.dataset.splits["val"]))):
            measured = block_means(self.images("val", np.array([row])), self.block)
            noise = self.noise(BANKING, row).to(measured)
            runs.append(self.solver.run(measured, noise, LEVELS - 1)[1])
        return bank_of(runs)

    @property
    def solver(self) -> Solver:
        """Return what refines, with the denoiser as it is now."""

        def denoiser(noisy: Tensor, level: int) -> Tensor:
            output: Tensor = self.denoiser(noisy, torch.tensor([level], device=noisy.device))
            return output

        return Solver(denoiser, self.operator, self.block)

    def noise(self, stream: int, row: int) -> Tensor:
        """Return the noise [1, H, W] of an image."""
        shape = (1, *self.inputs.dataset.splits["val"].images.shape[1:3])
        random = np.random.default_rng([self.inputs.seed, stream, row])
        return torch.from_numpy(random.standard_normal(shape))


def attach(inputs: MapInputs, options: Mapping[str, Any]) -> Refined:
    """Return the model of a dataset whose images show the means of its maps' blocks.

    Raises:
        DataError: its card names no blocks, or some pixels are not known, or a side is odd.
    """
    card, block = inputs.dataset.card, inputs.dataset.card.maps and inputs.dataset.card.maps.block
    target = inputs.dataset.target("train", "maps", Maps)
    odd = any(side % PATCH for side in target.images.shape[1:3])
    if block is None or target.valid is not None or odd:
        raise errors.DataError(
            f"`dps` takes maps of even sides, known in every pixel, whose images show the means "
            f"of blocks; {card.id} has others, or names no `block` in its maps"
        )
    return Refined(inputs, block, options["operator"] == "mismatched")
