"""`mni152`: real MR slices with grey and white matter, from files that nilearn ships.

The files are the ICBM 2009a template (Fonov et al. 2011): the average brain of 152 people, without
its skull, and the share of grey and of white matter in each voxel of 1 mm. The class of a voxel is
the largest of three shares: what is left (liquor and air; the background), grey, white.

It is one brain, so no split of it is of other patients. All slices are coronal, so no two share a
voxel (slices of other axes would, and the halves mirror each other exactly), and GAP slices are
left out between the blocks of different splits.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from omnibench import DatasetCard, register_dataset
from omnibench.cards import MapFacts
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.data.checksums import sha256_of
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Voxel = TypeVar("Voxel", bound=np.generic)

VERSION = 1  # the source digest: raise it with any change that alters a pixel, a mask or a split
FILES = {
    "t1": "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    "gm": "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
    "wm": "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
}
FIRST = 36  # of the slices, from back to front: those with the brain on 6 % of the image or more
GAP = 6
BLOCKS = (
    ("train", 25),
    ("test", 11),
    ("train", 25),
    ("val", 9),
    ("train", 25),
    ("test", 11),
    ("train", 25),
)
SIZE = 160  # mm around the brain, which is 145 wide and 155 high
LEFT = 18
SURFACES = ("left outer", "left inner", "right outer", "right inner")  # of the grey matter

CARD = register_dataset(
    DatasetCard(
        id="mni152",
        reader="omnibench.data.mni152:read",
        package="nilearn",
        tasks=("segmentation",),
        modality="brain MR, T1-weighted, coronal",
        mask_classes=("background", "grey matter", "white matter"),
        channels=1,
        resolution=SIZE,
        pixel_spacing=(1.0, 1.0),
        splits={
            split: sum(length for name, length in BLOCKS if name == split)
            for split in ("train", "val", "test")
        },
        primary={"segmentation": "dice"},
        citation="doi:10.1016/j.neuroimage.2010.07.033",
        bib="fonov2011mni152",
        version=VERSION,
        note="Slices of one averaged brain, splits lie 7 mm or more apart in it: its scores say "
        "nothing of other patients.",
    )
)

for name, facts in (
    ("gm", MapFacts(unit="share", range=(0, 1), structure=0.5)),
    ("distance", MapFacts(unit="mm", range=(-3, 3), structure=0)),
    ("bias", MapFacts(unit="log gain", range=(-1, 1))),
    ("sr", MapFacts(unit="share of white", range=(0, 1), structure=0.75, block=4)),
    ("surfaces", MapFacts(unit="mm", range=(-3, 3), structure=0, channels=SURFACES)),
    (
        "registration",
        MapFacts(unit="mm", range=(-20, 20), channels=("down", "right"), displacement=(1.0, 1.0)),
    ),
):
    register_dataset(
        DatasetCard(
            id=f"mni152-{name}",
            reader=f"omnibench.data.mni152_maps:read_{name}",
            package=CARD.package,
            tasks=("dense",),
            modality=CARD.modality,
            channels=1,
            resolution=SIZE,
            maps=facts,
            splits=CARD.splits,
            primary={"dense": "endpoint-error" if facts.displacement else "mae"},
            citation=CARD.citation,
            bib=CARD.bib,
            version=VERSION,
            note=CARD.note,
        )
    )

register_dataset(
    DatasetCard(
        id="mni152-contrasts",
        reader="omnibench.data.mni152_contrasts:read",
        package=CARD.package,
        tasks=("contrasts",),
        modality="brain MR, simulated spin echo, coronal",
        mask_classes=(*CARD.mask_classes, "liquor"),
        channels=1,
        resolution=SIZE,
        pixel_spacing=CARD.pixel_spacing,
        splits=CARD.splits,
        images_per_study=2.67,
        views=("FLAIR", "PD", "T1w", "T2w"),
        primary={"contrasts": "mean"},
        citation=CARD.citation,
        bib=CARD.bib,
        version=VERSION,
        note=CARD.note + " Its contrasts are simulated; training studies hold one to four of them.",
    )
)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Cut the template: uint8 images and masks [N, 160, 160], head up.

    All are of one group, since no two are independent. The files are held to their SHA-256.

    Raises:
        DataError: nilearn is absent, or its files are not the known ones.
    """
    import numpy as np

    images = slices(volume("t1", data_dir))
    masks = tissue_masks(data_dir)
    splits = {}
    for split, rows in rows_of_splits().items():
        splits[split] = Split(
            images=ArrayImages(images[rows]),
            targets={"masks": Masks(ArrayImages(masks[rows]))},
            groups=np.full(len(rows), card.id),
        )
    return Dataset(card, splits, {name: f"sha256:{digest}" for name, digest in FILES.items()})


def tissue_masks(data_dir: Path) -> NDArray[np.uint8]:
    """Return the class of each voxel of the slices, [Y, 160, 160]: 0, 1 grey, 2 white."""
    import numpy as np

    grey, white = volume("gm", data_dir), volume("wm", data_dir)
    rest = 255 - grey - white  # the two never sum to more than 255
    return slices(np.argmax([rest, grey, white], axis=0).astype(np.uint8))


def rows_of_splits() -> dict[str, list[int]]:
    """Return split -> the places of its slices along the volume, in mm from the back."""
    rows: dict[str, list[int]] = {split: [] for split in CARD.splits}
    start = FIRST
    for split, length in BLOCKS:
        rows[split] += range(start, start + length)
        start += length + GAP
    return rows


def volume(kind: str, data_dir: Path) -> NDArray[np.uint8]:
    """Read one of the template's files, [197, 233, 189]: to the right, to the front, up."""
    spec = importlib.util.find_spec("nilearn")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise DataError("mni152 is made from files of nilearn; run `pip install nilearn`")
    name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    path = Path(folders[0]) / "datasets" / "data" / name
    if not path.is_file() or sha256_of(path, data_dir) != FILES[kind]:
        raise DataError(
            f"{path} is not the file that mni152 is made from; run `pip install --upgrade nilearn`"
            " (0.11 or newer)"
        )
    import nibabel
    import numpy as np

    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, np.uint8)


def slices(volume: NDArray[Voxel]) -> NDArray[Voxel]:
    """Cut coronal slices [Y, 160, 160] from [X, Y, Z], without resizing."""
    import numpy as np

    around = volume[LEFT : LEFT + SIZE, :, :SIZE]
    return np.ascontiguousarray(around.transpose(1, 2, 0)[:, ::-1])
