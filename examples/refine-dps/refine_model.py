"""What `dps` trains: a head on frozen maps, a denoiser of maps, and the refinement of both."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import refine_solver as solver
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from omnibench import Batch, MapAnswers, MapInputs, MapModel, Maps, errors

PATCH, WIDTH, NARROW = 2, 32, 16  # pixels, and channels of denoiser and head
TRAINING, BANKING, REFINING = 0, 1, 2  # streams of random numbers
Rows = NDArray[np.int64]
conv = functools.partial(nn.Conv2d, kernel_size=3, padding=1)


class Denoiser(nn.Module):
    """The velocity [B, H, W] of noisy maps, given their level [B] and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Embedding(solver.LEVELS, WIDTH)
        self.first, self.last = conv(PATCH**2, WIDTH), conv(WIDTH, PATCH**2)
        self.layers = nn.ModuleList(conv(WIDTH, WIDTH) for _ in range(4))
        self.norms = nn.ModuleList(nn.GroupNorm(8, WIDTH) for _ in range(4))

    def forward(self, noisy: Tensor, levels: Tensor) -> Tensor:
        x = self.first(functional.pixel_unshuffle(noisy[:, None], PATCH))
        shift = self.level(levels)[:, :, None, None]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(functional.silu(norm(x) + shift))
        return functional.pixel_shuffle(self.last(x), PATCH)[:, 0]


class Refined(MapModel):
    """A head's output, refined by a denoiser until it fits what the image shows of its blocks."""

    def __init__(self, inputs: MapInputs, maps: Any, same: bool) -> None:  # maps: as on a card
        super().__init__()
        self.inputs, self.block, (self.low, self.high) = inputs, maps.block, maps.range
        rows = np.arange(len(inputs.dataset.splits["train"]))
        truth = torch.from_numpy(inputs.dataset.target("train", "maps", Maps).read_rows(rows)[0])
        self.mean, self.std = float(truth.mean()), float(truth.std())
        self.truth = ((truth - self.mean) / self.std).to(inputs.device)
        channels = sum(level.shape[1] for level in inputs.maps.read("train", rows[:1]))
        self.reduce = nn.Sequential(nn.GroupNorm(1, channels), nn.Conv2d(channels, NARROW, 1))
        self.head = nn.Sequential(conv(1 + NARROW, NARROW), nn.GELU(), conv(NARROW, 1))
        self.denoiser = Denoiser()
        means = solver.block_means if same else solver.blurred_means
        self.solver = solver.Solver(self.denoiser, means, maps.block)

    def images(self, split: str, rows: Rows) -> Tensor:
        """Return images [B, H, W] as standardised maps."""
        read = torch.from_numpy(self.inputs.dataset.splits[split].images.read_rows(rows)).float()
        grey = (read if read.ndim == 3 else read.mean(dim=3)).to(self.inputs.device) / 255
        maps: Tensor = self.low + (self.high - self.low) * grey
        return (maps - self.mean) / self.std

    def predicted(self, split: str, rows: Rows) -> Tensor:
        """Return the head's standardised maps [B, H, W]: the images, and what is added to them."""
        images, levels = self.images(split, rows), self.inputs.maps.read(split, rows)
        alike = [functional.interpolate(level.float(), levels[0].shape[2:]) for level in levels]
        known = self.reduce(torch.cat(alike, dim=1).to(images))
        large = functional.interpolate(known, images.shape[1:], mode="bilinear")
        added: Tensor = self.head(torch.cat([images[:, None], large], dim=1))
        return images + added[:, 0]

    def loss(self, batch: Batch) -> Tensor:
        """Return the head's absolute error and the denoiser's square of the velocity."""
        truth, count = self.truth[batch.rows.to(self.truth.device)], len(batch.whole)
        # Drawn for the whole batch, so that its parts have the draws that it has as one.
        random = np.random.default_rng([self.inputs.seed, TRAINING, batch.step])
        levels = torch.from_numpy(random.integers(solver.LEVELS, size=count))[batch.places]
        normal = random.normal(size=(count, *truth.shape[1:]))
        noise = torch.from_numpy(normal)[batch.places].to(truth)
        share = solver.SHARES[levels].to(truth)[:, None, None]
        noisy = share.sqrt() * truth + (1 - share).sqrt() * noise
        speed = self.denoiser(noisy, levels.to(truth.device))
        loss = functional.mse_loss(speed, share.sqrt() * noise - (1 - share).sqrt() * truth)
        loss = loss + functional.l1_loss(self.predicted("train", batch.rows.numpy()), truth)
        return loss * len(truth) / count

    def shown(self, split: str, row: int, stream: int) -> tuple[Tensor, Tensor]:
        """Return the block means [1, h, w] that an image shows, and its noise [1, H, W]."""
        image = self.images(split, np.array([row]))
        noise = np.random.default_rng([self.inputs.seed, stream, row]).normal(size=image.shape)
        return solver.block_means(image, self.block), torch.from_numpy(noise).to(image)

    @functools.cached_property
    def bank(self) -> list[float]:
        """Return the losses of validation images that are sampled from noise alone."""
        rows = range(len(self.inputs.dataset.splits["val"]))
        shown = [self.shown("val", row, BANKING) for row in rows]
        return solver.bank_of([self.solver.run(*each, solver.LEVELS - 1)[1] for each in shown])

    def predict(self, split: str, rows: Rows) -> MapAnswers:
        """Return refined maps; as views those before, and those before with corrected blocks."""
        answers, steps = list[Tensor](), list[float]()
        for row in rows:  # one by one, so that no image's bits depend on the others'
            given = self.predicted(split, np.array([row]))
            means, noise = self.shown(split, row, REFINING)
            missing = means - self.solver.means(given, self.block)
            start = solver.start_of(float(missing.norm()), self.bank)
            share = float(solver.SHARES[start])
            noisy = share**0.5 * given + (1 - share) ** 0.5 * noise
            refined, _ = self.solver.run(means, noisy, start, given)
            projected = given + solver.spread_out(missing, self.block)
            answers.append(torch.cat([refined, given, projected]) * self.std + self.mean)
            steps.append(start + 1.0)
        after, before, projected = torch.stack(answers, dim=1).cpu().numpy()
        views = {"before": before, "projected": projected}
        return MapAnswers(after, views, {"steps": np.array(steps)})


def attach(inputs: MapInputs, options: Mapping[str, Any]) -> Refined:
    """Return the model of a dataset whose images show the means of its maps' blocks.

    Raises:
        DataError: some pixels are not known, or a side is odd.
    """
    card, target = inputs.dataset.card, inputs.dataset.target("train", "maps", Maps)
    if target.valid is not None or any(side % PATCH for side in target.images.shape[1:3]):
        wanted = "`dps` takes maps of even sides, known in every pixel"
        raise errors.DataError(f"{wanted}; {card.id} has others: use `decoder`")
    return Refined(inputs, card.maps, options["operator"] == "same")
