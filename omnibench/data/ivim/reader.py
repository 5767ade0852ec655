"""Draws the signals of `ivim` under a protocol."""

import hashlib
from pathlib import Path
from typing import cast

import numpy as np

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Images, Split
from omnibench.data.ivim import DRAWS, LEVELS, SNR_15, SNR_30, VERSION
from omnibench.data.ivim.model import RANGES, Floats, signal
from omnibench.data.ivim.protocol import Protocol
from omnibench.data.ivim.voxels import Voxels


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw `ivim`, of an SNR of 30; nothing is read from `data_dir`."""
    return draw(card, SNR_30)


def read_snr15(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw `ivim-snr15`: the same voxels, and twice the same noise before magnitudes are taken."""
    return draw(card, SNR_15)


def draw(card: DatasetCard, protocol: Protocol) -> Dataset:
    """Draw as many training and validation voxels as a card names, and the test's grid.

    Training and validation: one draw of the noise of parameters drawn evenly over their ranges.
    Test: S0 = 1, the middles of LEVELS equal parts of the ranges of f, Ds and Df, DRAWS draws each.
    """
    splits, digests = {}, {}
    for place, name in enumerate(("train", "val", "test")):
        random = np.random.default_rng([VERSION, place])
        if name == "test":
            parameters, draws = grid(), DRAWS
        else:
            low, high = RANGES.T
            parameters = random.uniform(low, high, (card.splits[name], len(RANGES)))
            draws = 1
        signals = measured(parameters, draws, protocol, random)
        voxels = Voxels(signals.astype(np.float32), parameters, protocol)
        # What whoever looks over a dataset sees: a row a draw, a column a b-value; no grey levels.
        images = cast(Images, ArrayImages(voxels.signals))
        splits[name] = Split(images, {"voxels": voxels})
        content = voxels.signals.tobytes() + voxels.parameters.tobytes()
        digests[f"{name}_voxels"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Dataset(card, splits, digests)


def grid() -> Floats:
    """Return the true parameters [LEVELS ** 3, 4] of the test."""
    low, high = RANGES[1:].T
    middles = low + (high - low) * (np.arange(LEVELS)[:, None] + 0.5) / LEVELS
    axes = np.meshgrid(*middles.T, indexing="ij")
    return np.stack([np.ones(LEVELS**3), *(axis.ravel() for axis in axes)], axis=1)


def measured(
    parameters: Floats, draws: int, protocol: Protocol, random: np.random.Generator
) -> Floats:
    """Return magnitudes [N, draws, B] of signals with Gaussian noise in two channels."""
    clean = signal(parameters, np.array(protocol.b_values))[:, None]
    noise = random.standard_normal((2, len(parameters), draws, clean.shape[-1])) * protocol.sigma
    magnitudes: Floats = np.hypot(clean + noise[0], noise[1])
    return magnitudes
