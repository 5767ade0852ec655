"""`mni152-gm`, `-distance`, `-surfaces`, `-bias`, `-sr` and `-registration`: maps to regress.

Each has the slices of `mni152`, or images made of them.

The targets are those of BrainFM (arXiv 2509.00549), made of the template's files; the splits are
`mni152`'s, with its limits: one averaged brain.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnibench.data import ArrayImages, Dataset, Maps, Masks, Split, Target
from omnibench.data.mni152 import FILES, rows_of_splits, slices, tissue_masks, volume
from omnibench.data.phantom.cases import stream
from omnibench.data.phantom.fields import smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omnibench.cards import DatasetCard

FIELD = 0.3  # standard deviation of a bias field's logarithm
SHIFT, CELLS = 4.0, 4  # of displacements: standard deviation in mm, bumps along a side
CENTRE = 98  # of the template along x: its first voxel lies at -98 mm


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
    tissue = volume("gm", data_dir).astype(np.int16) + volume("wm", data_dir) > 127
    assert card.maps is not None
    distance = slices(_signed(tissue, card.maps.range))
    return _dataset(card, slices(volume("t1", data_dir)), distance)


def read_surfaces(card: DatasetCard, data_dir: Path) -> Dataset:
    """Give each T1 slice the mm to four surfaces, positive inside, as `read_distance` does.

    They are the outer and the inner surface of grey matter, around all tissue and around white
    matter, of the left and of the right half, which part where the template's x is 0; `card` names
    them. The template ships no meshes: BrainFM's are of FreeSurfer.
    """
    white = volume("wm", data_dir).astype(np.int16)
    outer, inner = volume("gm", data_dir).astype(np.int16) + white > 127, white > 127
    x = np.arange(len(white))[:, None, None] - CENTRE
    assert card.maps is not None
    span = card.maps.range
    maps = [
        slices(_signed(part & half, span)) for half in (x < 0, x > 0) for part in (outer, inner)
    ]
    return _dataset(card, slices(volume("t1", data_dir)), np.stack(maps, axis=-1))


def _signed(inside: NDArray[np.bool_], span: tuple[float, float]) -> NDArray[np.float32]:
    """Return the distance of each voxel to the other side, less half a voxel, positive inside.

    It is clamped at `span`, so that what is further away than that need not be looked at.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    margin = int(span[1]) + 2
    (around,) = find_objects(inside.astype(np.int8))
    box = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in around)
    part = inside[box]
    within, beyond = distance_transform_edt(part), distance_transform_edt(~part)
    signed = np.full(inside.shape, span[0], np.float32)
    signed[box] = np.clip(np.where(part, within - 0.5, 0.5 - beyond), *span)
    return signed


def read_registration(card: DatasetCard, data_dir: Path) -> Dataset:
    """Move each T1 slice by a smooth random displacement u in its plane, which is its map.

    A pixel x of the image is the slice at x + u(x), bilinearly, so that u leads to its place in the
    slice; it is valid where there is tissue. The slice's tissue classes are the target `unmoved`.
    """
    from scipy.ndimage import map_coordinates

    images = slices(volume("t1", data_dir))
    count, height, width = images.shape
    grid = np.mgrid[:height, :width].astype(np.float64)
    moved, fields = np.empty_like(images), np.empty((count, height, width, 2), np.float32)
    for row, image in enumerate(images):
        for axis in (0, 1):
            bumps = smooth_field(stream("mni152-registration", row, axis), height, CELLS)
            fields[row, ..., axis] = SHIFT * bumps
        places = grid + fields[row].transpose(2, 0, 1)
        moved[row] = map_coordinates(image.astype(np.float64), places, order=1) + 0.5
    tissue = tissue_masks(data_dir)
    return _dataset(card, moved, fields, moved > 25, unmoved=tissue)


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
    unmoved: NDArray[np.uint8] | None = None,
) -> Dataset:
    """Return the slices [Y, 160, 160] in the splits of `mni152`, each with its map."""
    splits = {}
    for split, rows in rows_of_splits().items():
        known = None if valid is None else ArrayImages(valid[rows])
        targets: dict[str, Target] = {"maps": Maps(ArrayImages(maps[rows]), known)}
        if unmoved is not None:
            targets["unmoved"] = Masks(ArrayImages(unmoved[rows]))
        splits[split] = Split(ArrayImages(images[rows]), targets, np.full(len(rows), "mni152"))
    return Dataset(card, splits, {name: f"sha256:{digest}" for name, digest in FILES.items()})
