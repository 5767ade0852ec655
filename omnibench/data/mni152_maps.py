"""`mni152-gm`, `-distance`, `-bias` and `-sr`: the slices of `mni152`, each with a map to regress.

The targets are those of BrainFM (arXiv 2509.00549), made of the template's files; the splits are
`mni152`'s, with its limits: one averaged brain.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnibench.data import ArrayImages, Dataset, Maps, Split
from omnibench.data.mni152 import FILES, rows_of_splits, slices, volume
from omnibench.data.phantom.cases import stream
from omnibench.data.phantom.fields import smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omnibench.cards import DatasetCard

FIELD = 0.3  # standard deviation of a bias field's logarithm


def read_gm(card: DatasetCard, data_dir: Path) -> Dataset:
    """Give each T1 slice the share of grey matter in its voxels."""
    share = slices(volume("gm", data_dir)).astype(np.float32) / np.float32(255)
    return _dataset(card, slices(volume("t1", data_dir)), share)


def read_distance(card: DatasetCard, data_dir: Path) -> Dataset:
    """Give each T1 slice the mm to the outer surface of the brain's tissue, positive inside.

    Tissue is grey or white matter in most of a voxel. Distances are of voxels' centres in 3-D, to
    the nearest of the other side, half a voxel less, and clamped at the card's range as BrainFM
    clamps its own at 3 mm.
    """
    from scipy.ndimage import distance_transform_edt

    tissue = volume("gm", data_dir).astype(np.int16) + volume("wm", data_dir) > 127
    inside, outside = (distance_transform_edt(part) for part in (tissue, ~tissue))
    signed = np.where(tissue, inside - 0.5, 0.5 - outside)
    assert card.maps is not None
    distance = slices(np.clip(signed, *card.maps.range).astype(np.float32))
    return _dataset(card, slices(volume("t1", data_dir)), distance)


def read_bias(card: DatasetCard, data_dir: Path) -> Dataset:
    """Multiply each T1 slice by exp(B), with a smooth random field B that is its map.

    B is valid where there is tissue: elsewhere nothing shows it.
    """
    images = slices(volume("t1", data_dir))
    fields = np.stack(
        [
            FIELD * smooth_field(stream("mni152-bias", row), images.shape[1], 3)
            for row in range(len(images))
        ]
    ).clip(-1, 1)
    shown = np.clip(np.exp(fields) * images * 0.6, 0, 255)  # room above for a gain
    valid = images > 25
    return _dataset(card, (shown + 0.5).astype(np.uint8), fields.astype(np.float32), valid)


def read_sr(card: DatasetCard, data_dir: Path) -> Dataset:
    """Show of each T1 slice the means of its blocks alone; the map is the slice itself.

    BrainFM regresses the residual between both. The slice is the same target, as the input is
    known, and says what was made up: structures, and the error that the means cannot tell.
    """
    high = slices(volume("t1", data_dir)).astype(np.float32) / np.float32(255)
    assert card.maps is not None
    assert card.maps.block is not None
    block, (count, height, width) = card.maps.block, high.shape
    means = high.reshape(count, height // block, block, width // block, block).mean(axis=(2, 4))
    low = means.repeat(block, axis=1).repeat(block, axis=2)
    return _dataset(card, (255 * low + 0.5).astype(np.uint8), high)


def _dataset(
    card: DatasetCard,
    images: NDArray[np.uint8],
    maps: NDArray[np.float32],
    valid: NDArray[np.bool_] | None = None,
) -> Dataset:
    """Return the slices [Y, 160, 160] in the splits of `mni152`, each with its map."""
    splits = {}
    for split, rows in rows_of_splits().items():
        known = None if valid is None else ArrayImages(valid[rows])
        targets = {"maps": Maps(ArrayImages(maps[rows]), known)}
        splits[split] = Split(ArrayImages(images[rows]), targets, np.full(len(rows), "mni152"))
    return Dataset(card, splits, {name: f"sha256:{digest}" for name, digest in FILES.items()})
