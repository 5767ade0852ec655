"""Volumes in an npz dataset: each is a study, whose images are its slices along the first axis.

`{split}_volumes` are [N, D, H, W], uint8 or floats between 0 and 1, in the place of
`{split}_images`; labels, groups and columns have an entry for each volume, and masks none.
MedMNIST3D calls its volumes `{split}_images`, which only its cards tell from images in colour.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Images, Labels, Split
from omnibench.data.columns import Columns
from omnibench.data.npz_archive import Member
from omnibench.errors import DataError

VIEW = "volume"


def volume_shape(where: Path, member: Member) -> tuple[int, int, int, Literal[1]]:
    """Return (D, H, W, channels) of an array of volumes.

    Raises:
        DataError: it is no [N, D, H, W], or a side is 0.
    """
    shape = member.shape
    if len(shape) != 4:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}; save grey volumes as [N, D, H, W], D slices "
            "of H x W pixels each"
        )
    if 0 in shape:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}, without a slice; every split needs some"
        )
    return shape[1], shape[2], shape[3], 1


def split_of(
    name: str,
    images: Images,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_] | None,
    columns: Columns,
) -> Split:
    """Return the split `name`, of as many studies as there are labels.

    Args:
        images: the slices of all studies, one study after the other.
        groups, columns: of studies.
    """
    studies, slices = len(labels), images.shape[0] // len(labels)
    ids = [f"{name}-{number}" for number in range(studies)]
    return Split(
        images=images,
        groups=None if groups is None else np.repeat(groups, slices),
        study=np.repeat(ids, slices),
        view=np.full(studies * slices, VIEW),
        place=np.tile(np.arange(slices), studies),
        columns={column: np.repeat(values, slices) for column, values in columns.items()},
        by_study={"labels": Labels(labels)},
    )
