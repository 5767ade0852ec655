"""A conditional diffusion model of maps: latents, the network on them, their loss and samples."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from translate_schedule import (
    STEPS,
    clean_of,
    image_weights,
    sample,
    signal_shares,
    velocity,
)

from omnibench import Batch, MapAnswers, MapInputs, MapModel, Maps, errors

PATCH, LATENTS, WIDTH, BLOCKS = 8, 16, 48, 2
DRAWS = 4  # of time and noise, for each image of a batch
SAMPLES, SAMPLED_IN = 64, 8  # of an image, and the steps of each
TRAINING, SAMPLING = 0, 1  # streams of random numbers
Rows = NDArray[np.int64]


class Latents(nn.Module):
    """The principal components of a map's patches, and a linear decoder that starts as theirs."""

    def __init__(self, maps: Tensor) -> None:
        """Fit them to maps [N, H, W]."""
        super().__init__()
        pixels = functional.pixel_unshuffle(maps[:, None].double(), PATCH)
        pixels = pixels.movedim(1, -1).flatten(0, 2)
        mean = pixels.mean(dim=0)
        spread, axes = torch.linalg.eigh(torch.cov(pixels.T))
        scale = spread[-LATENTS:].clamp(min=1e-8).sqrt()
        axes = axes[:, -LATENTS:].T
        self.mean = nn.Buffer(mean.float()[:, None, None])
        self.encoder = nn.Buffer((axes / scale[:, None]).float())
        self.decoder = nn.Parameter((axes * scale[:, None]).float())

    def encode(self, maps: Tensor) -> Tensor:
        """Return standardised latents [N, K, h, w] of maps [N, H, W]."""
        pixels = functional.pixel_unshuffle(maps[:, None], PATCH)
        return torch.einsum("kp,nphw->nkhw", self.encoder, pixels - self.mean)

    def decode(self, latents: Tensor) -> Tensor:
        """Return maps [N, H, W] of latents."""
        pixels = torch.einsum("kp,nkhw->nphw", self.decoder, latents) + self.mean
        return functional.pixel_shuffle(pixels, PATCH)[:, 0]


class Block(nn.Module):
    """A residual block of two convolutions, shifted by the time."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(8, WIDTH) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        inner = self.convolutions[0](functional.silu(self.norms[0](x))) + shift
        output: Tensor = x + self.convolutions[1](functional.silu(self.norms[1](inner)))
        return output


class Network(nn.Module):
    """The velocity [B, K, h, w] of noisy latents, given their time and what is known of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.known = nn.Conv2d(channels, WIDTH, 1)
        self.time = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.first = nn.Conv2d(LATENTS, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.last = nn.Conv2d(WIDTH, LATENTS, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, latents: Tensor, times: Tensor, known: Tensor) -> Tensor:
        """Return the velocity; `known` is [B or 1, WIDTH, h, w], as the member of this name."""
        half = WIDTH // 2
        rates = torch.exp(-math.log(STEPS) / half * torch.arange(half, device=times.device))
        angles = times[:, None] * rates
        shift = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))[:, :, None, None]
        x = self.first(latents) + known
        for block in self.blocks:
            x = block(x, shift)
        output: Tensor = self.last(functional.silu(x))
        return output


class Diffusion(MapModel):
    """The diffusion of a map's latents, given the image and the backbone's maps of it."""

    def __init__(self, inputs: MapInputs, wisl: bool) -> None:
        super().__init__()
        self.inputs, self.wisl = inputs, wisl
        everything = np.arange(len(inputs.dataset.splits["train"]))
        maps = self.truth(everything)
        self.spread = float(maps.std())
        self.latents = Latents(maps).requires_grad_(wisl)
        known = self.read("train", everything)
        self.centre = nn.Buffer(known.mean(dim=(0, 2, 3), keepdim=True))
        self.scale = nn.Buffer(known.std(dim=(0, 2, 3), keepdim=True) + 1e-6)
        self.network = Network(known.shape[1])
        self.shares, self.weights = nn.Buffer(signal_shares()), nn.Buffer(image_weights())

    def truth(self, rows: Rows) -> Tensor:
        """Return the true maps [B, H, W] of training images."""
        maps = self.inputs.dataset.target("train", "maps", Maps).read_rows(rows)[0]
        return torch.from_numpy(maps).to(self.inputs.device)

    def read(self, split: str, rows: Rows) -> Tensor:
        """Return what is known of images [B, C, h, w]: their pixels, and the maps of all levels."""
        images = torch.from_numpy(self.inputs.dataset.splits[split].images.read_rows(rows)).float()
        grey = images if images.ndim == 3 else images.mean(dim=3)
        pixels = functional.pixel_unshuffle(grey[:, None], PATCH)
        levels = [level.float() for level in self.inputs.maps.read(split, rows)]
        size = pixels.shape[2:]
        resized = [functional.interpolate(level, size, mode="bilinear") for level in levels]
        return torch.cat([pixels, *resized], dim=1).to(self.inputs.device)

    def known(self, split: str, rows: Rows) -> Tensor:
        """Return what the network is given of images [B, WIDTH, h, w]."""
        output: Tensor = self.network.known((self.read(split, rows) - self.centre) / self.scale)
        return output

    def loss(self, batch: Batch) -> Tensor:
        """Return the error of the velocity and, with `wisl`, that of the decoded image."""
        rows = batch.rows.numpy()
        truth = self.truth(rows).repeat_interleave(DRAWS, dim=0)
        known = self.known("train", rows).repeat_interleave(DRAWS, dim=0)
        clean = self.latents.encode(truth)
        # Drawn for the whole batch, so that its parts have the draws that it has as one.
        random = np.random.default_rng([self.inputs.seed, TRAINING, batch.step])
        size = (len(batch.whole), DRAWS)
        drawn = random.integers(STEPS, size=size), random.standard_normal((*size, *clean.shape[1:]))
        times, noise = (torch.from_numpy(d)[batch.places].flatten(0, 1).to(truth) for d in drawn)
        share = self.shares[times.long()][:, None, None, None]
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        speed = self.network(noisy, times, known)
        loss = functional.mse_loss(speed, velocity(clean, noise, share))
        if self.wisl:
            image = self.latents.decode(clean_of(noisy, speed, share))
            error = (image - truth).abs().mean(dim=(1, 2)) / self.spread
            loss = loss + (self.weights[times.long()] * error).mean()
        return loss * len(rows) / len(batch.whole)

    def predict(self, split: str, rows: Rows) -> MapAnswers:
        """Return the average of all samples and, as views, those of the first m alone.

        Latents are averaged and decoded once (CoCoLIT's latent average stabilisation).
        """
        averages: dict[str, list[NDArray[Any]]] = {f"m{count}": [] for count in (1, 4, 16, SAMPLES)}
        spreads = []
        for row in rows:
            samples = self.samples(split, row)
            for name, maps in averages.items():
                mean = samples[: int(name[1:])].mean(dim=0, keepdim=True)
                maps.append(self.latents.decode(mean).cpu().numpy())
            spreads.append(float(self.latents.decode(samples).std(dim=0).mean()))
        views = {name: np.concatenate(maps) for name, maps in averages.items()}
        return MapAnswers(views[f"m{SAMPLES}"], views, {"spread": np.array(spreads)})

    def samples(self, split: str, row: int) -> Tensor:
        """Return the samples [SAMPLES, K, h, w] of an image's latents."""
        known = self.known(split, np.array([row]))
        random = np.random.default_rng([self.inputs.seed, SAMPLING, row])
        noise = random.standard_normal((SAMPLES, LATENTS, *known.shape[2:]))

        def network(latents: Tensor, time: int) -> Tensor:
            output: Tensor = self.network(latents, latents.new_full((SAMPLES,), time), known)
            return output

        return sample(network, torch.from_numpy(noise).to(known), SAMPLED_IN)


def attach(inputs: MapInputs, options: Mapping[str, Any]) -> Diffusion:
    """Return the model of a dataset whose maps have one number in every pixel.

    Raises:
        DataError: some pixels are not known, or the maps do not part into patches.
    """
    target = inputs.dataset.target("train", "maps", Maps)
    sides = target.images.shape[1:3]
    if target.valid is not None or any(side % PATCH for side in sides):
        raise errors.DataError(
            f"`diffusion` takes maps that are known in every pixel and whose sides {PATCH} "
            f"divides; those of {inputs.dataset.card.id} are {list(sides)}: use `decoder`"
        )
    return Diffusion(inputs, options["wisl"])
