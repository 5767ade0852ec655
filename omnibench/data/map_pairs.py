"""Folders of images and maps of numbers: as `pairs`, with `targets/` in the place of `masks/`.

Each split has `images/` and `targets/`, and may have `valid/`, masks that are 0 where a map's
numbers are not known. The images are of one size, up to WHOLE_SIDE; maps are held in memory.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.columns import table_columns
from omnibench.data.declaration import Declaration, declaration_path, required_facts
from omnibench.data.images import ArrayImages
from omnibench.data.split import Dataset, Split
from omnibench.data.targets import Maps
from omnibench.errors import DataError

MAP_SUFFIXES = (".npy", ".npz", ".tif", ".tiff")
Names = dict[str, tuple[str, ...]]
T = TypeVar("T")


def declared_maps(path: Path, declared: Declaration) -> None:
    """Refuse a declaration that does not say what maps are in, or that says what masks hold.

    Raises:
        DataError: with what to write.
    """
    required_facts(path, declared, "train/targets")
    if declared.mask_values or declared.ignore:
        raise DataError(
            f"{declaration_path(path)} declares mask_values or ignore, which says nothing of maps; "
            "remove it"
        )


def read_maps(
    card: DatasetCard, declared: Declaration, images: Names, targets: Names, data_dir: Path
) -> Dataset:
    """Read every image and map of a folder.

    Raises:
        DataError: an image, a map or a validity mask is not as `map_files` and `survey` want it.
    """
    import numpy as np

    from omnibench.data.image_files import WHOLE_SIDE, FolderImages, header, survey
    from omnibench.data.map_files import read_map, read_valid
    from omnibench.data.maps import check_channels

    root = Path(str(card.path))
    names = [name for split in SPLITS for name in images[split]]
    channels, height, width = survey(root, names)
    for name in names:
        if (size := header(root / name).size) != (width, height):
            raise DataError(
                f"{root / name} is {size[0]} x {size[1]} pixels where others are up to {width} x "
                f"{height}; bring images with maps to one size"
            )
    if max(width, height) > WHOLE_SIDE:
        raise DataError(
            f"the images of {root} are {width} x {height} pixels, and those beyond {WHOLE_SIDE} "
            "are read at a recipe's input size, which their maps would not fit; bring both to a "
            "smaller size"
        )
    assert declared.maps is not None
    columns = table_columns(root, declared.columns, images)
    pixel = (3,) if channels == 3 else ()
    splits = {}
    for split in SPLITS:
        maps = _each(root, targets[split], images[split], read_map)
        for name, values in zip(targets[split], maps, strict=True):
            check_channels(declared.maps, values.shape[2:], str(root / name))
        valid = None
        if known := valid_names(root, split, images[split]):
            valid = ArrayImages(np.stack(_each(root, known, images[split], read_valid)))
        shape = (len(maps), height, width, *pixel)
        splits[split] = Split(
            FolderImages(root, images[split], shape),
            {"maps": Maps(ArrayImages(np.stack(maps)), valid)},
            columns=columns.get(split, {}),
        )
    resolution = height if height == width else None
    card = card.model_copy(update={"channels": channels, "resolution": resolution})
    return Dataset(card, splits, {"files": maps_digest(root, images, targets, data_dir)})


def _each(
    root: Path, names: Sequence[str], images: Sequence[str], read: Callable[[Path, Path], T]
) -> list[T]:
    """Return what a reader gives of each file and its image.

    Raises:
        DataError: as `every`.
    """
    from omnibench.data.image_files import every

    together = dict(zip(names, images, strict=True))
    return every(names, lambda name: read(root / name, root / together[name]))


def valid_names(root: Path, split: str, images: tuple[str, ...]) -> tuple[str, ...]:
    """Return the name of each image's validity mask, () where the split has no `valid/`.

    Raises:
        DataError: an image has none.
    """
    folder = root / split / "valid"
    if not folder.is_dir():
        return ()
    names = []
    for name in images:
        file = folder / f"{Path(name).stem}.png"
        if not file.is_file():
            raise DataError(
                f"{root / name} has no {file}, and {folder} is there; save which pixels are valid "
                "for every image of the split, or remove the folder"
            )
        names.append(file.relative_to(root).as_posix())
    return tuple(names)


def maps_digest(root: Path, images: Names, targets: Names, data_dir: Path) -> str:
    """Return "sha256:..." of the images, maps and validity masks and their places in the folder.

    Raises:
        DataError: a file cannot be read.
    """
    names = [
        name
        for split in SPLITS
        for name in (*images[split], *targets[split], *valid_names(root, split, images[split]))
    ]
    return f"sha256:{sha256_of_folder(root, names, data_dir)}"
