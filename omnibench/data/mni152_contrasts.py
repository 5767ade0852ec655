"""`mni152-contrasts`: the slices of `mni152` as four MR contrasts of each would show them.

A study is one coronal slice, and its images are contrasts of it, made of the template's shares of
tissue by the spin-echo signal equations (Nishimura, Principles of Magnetic Resonance Imaging,
1996). The tissues' constants at 1.5 T are those of the BrainWeb phantom (Kwan et al. 1999,
doi:10.1109/42.816072). A training study holds the contrasts that `HELD` declares for its turn;
validation and test studies hold all.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.data.mni152 import FILES, rows_of_splits, slices, volume
from omnibench.data.phantom.cases import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omnibench.cards import DatasetCard


class Tissue(NamedTuple):
    """What the signal of a tissue depends on: times in ms, proton density as a share of water."""

    t1: float
    t2: float
    density: float


class Sequence(NamedTuple):
    """A spin-echo sequence, times in ms; with an inversion before it where it nulls a tissue."""

    repetition: float
    echo: float
    nulled: Tissue | None = None


LIQUOR, GREY, WHITE = Tissue(2569, 329, 1.0), Tissue(833, 83, 0.86), Tissue(500, 70, 0.77)
TISSUES = (GREY, WHITE, LIQUOR)  # in the order of the mask values 1, 2, 3
CONTRASTS = {  # in the order of their names
    "FLAIR": Sequence(9000, 120, LIQUOR),
    "PD": Sequence(3000, 20),
    "T1w": Sequence(500, 15),
    "T2w": Sequence(3000, 100),
}
HELD = (
    ("FLAIR", "PD", "T1w", "T2w"),
    ("T1w", "T2w"),
    ("FLAIR", "T1w"),
    ("PD", "T2w"),
    ("T1w",),
    ("FLAIR", "T2w"),
)  # by training studies in turn; PD and FLAIR alone, say, are held by none
NOISE = 0.05  # of each part of the complex signal, as a share of the brightest tissue's
HEADROOM = 1.15  # of white above the brightest tissue


def signal(tissue: Tissue, sequence: Sequence) -> float:
    """Return the size of a tissue's spin-echo signal, as a share of that of water at rest.

    PD (1 - exp(-TR / T1)) exp(-TE / T2); behind an inversion PD |1 - 2 exp(-TI / T1) +
    exp(-TR / T1)| exp(-TE / T2), with the inversion time TI at which the nulled tissue gives none.
    The echo time is taken to be short beside TR.
    """
    recovered = 1 - math.exp(-sequence.repetition / tissue.t1)
    if sequence.nulled is not None:
        inversion = inversion_time(sequence.nulled, sequence.repetition)
        recovered += 2 * math.exp(-sequence.repetition / tissue.t1)
        recovered -= 2 * math.exp(-inversion / tissue.t1)
    return tissue.density * abs(recovered) * math.exp(-sequence.echo / tissue.t2)


def inversion_time(nulled: Tissue, repetition: float) -> float:
    """Return the ms behind an inversion at which a tissue gives no signal."""
    return -nulled.t1 * math.log((1 + math.exp(-repetition / nulled.t1)) / 2)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the contrasts that each study holds, and a mask of each study.

    A voxel's signal is the mean of its tissues' by their shares. What is neither grey nor white is
    liquor where the template shows the brain, air around it; a voxel's class is the largest share.

    Returns:
        Splits of uint8 [N, 160, 160] images, those of a study in the order of their names, with
        masks by study (0 background, 1 grey matter, 2 white matter, 3 liquor).
    """
    grey, white = volume("gm", data_dir), volume("wm", data_dir)
    liquor = np.where(volume("t1", data_dir) > 0, 255 - grey - white, 0).astype(np.uint8)
    shares = np.stack([slices(part) for part in (grey, white, liquor)], axis=-1)  # [Y, H, W, 3]
    air = 255 - shares.sum(axis=-1, keepdims=True, dtype=np.int16)
    masks = np.concatenate([air, shares], axis=-1).argmax(axis=-1).astype(np.uint8)
    splits = {}
    for split, rows in rows_of_splits().items():
        turns = itertools.cycle(HELD if split == "train" else HELD[:1])
        shown = [(row, name) for row, held in zip(rows, turns, strict=False) for name in held]
        images = np.stack([draw(shares[row] / 255, row, name) for row, name in shown])
        study = np.array([f"slice-{row}" for row, _ in shown])
        splits[split] = Split(
            ArrayImages(images),
            groups=np.full(len(shown), card.id),
            study=study,
            view=np.array([name for _, name in shown]),
            by_study={"masks": Masks(ArrayImages(masks[rows]))},
        )
    return Dataset(card, splits, {name: f"sha256:{digest}" for name, digest in FILES.items()})


def draw(shares: NDArray[np.float64], row: int, contrast: str) -> NDArray[np.uint8]:
    """Return a slice in one contrast, uint8 [H, W], with Rician noise of its own.

    Args:
        shares: [H, W, 3] of `TISSUES`.
        row: of the slice in the template, which with the contrast seeds the noise.
    """
    signals = np.array([signal(tissue, CONTRASTS[contrast]) for tissue in TISSUES])
    signals /= signals.max()
    noise = NOISE * stream("mni152-contrasts", row, contrast).standard_normal(
        (2, *shares.shape[:2])
    )
    size = np.hypot(shares @ signals + noise[0], noise[1])
    image: NDArray[np.uint8] = (np.clip(size / HEADROOM, 0, 1) * 255 + 0.5).astype(np.uint8)
    return image
