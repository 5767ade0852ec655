"""Folders of images and masks: `train/`, `val/` and `test/`, in each `images/` and `masks/`.

A mask belongs to the image whose name it has, whatever the suffixes. Hidden files are left alone,
as are files that are no image by their name. With `targets/` in the place of `masks/` they are maps
of numbers: see `map_pairs`.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import Dataset, Masks, Reader, Split, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.columns import table_columns
from omnibench.data.declaration import coding_of, declaration_path, read_declaration
from omnibench.data.listing import SUFFIXES, beside_splits, ending, instead, visible
from omnibench.data.map_pairs import MAP_SUFFIXES, declared_maps, maps_digest, read_maps
from omnibench.errors import DataError

MASKS, TARGETS = "masks", "targets"
VOLUMES = (".nii", ".nii.gz")
LOSSLESS = (".png", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Pairs:
    """What a folder holds, by names alone.

    Attributes:
        images: split -> the images' names relative to the folder, sorted by their stems.
        masks: split -> the name of each one's mask, or of its map.
        left_out: ending -> number of files that are no image by their name.
        part: the folder of these, "masks" or "targets".
    """

    images: dict[str, tuple[str, ...]]
    masks: dict[str, tuple[str, ...]]
    left_out: dict[str, int]
    part: str


def card_of(path: Path) -> DatasetCard:
    """Return the card of `pairs:PATH`, from the names in it; no image is opened.

    So `channels`, `resolution` and `mask_classes` are left out; `read` tells the first two.

    Raises:
        DataError: as `pairs_of` and `table_columns`.
    """
    pairs, declared = pairs_of(path), read_declaration(path)
    table_columns(path, declared.columns, pairs.images)  # refused before a run
    has_maps = pairs.part == TARGETS
    if has_maps:
        declared_maps(path, declared)
    elif declared.maps is not None:
        raise DataError(
            f"{declaration_path(path)} declares maps, and {path} has masks; put maps of numbers "
            "into train/targets and so on, or remove it"
        )
    return local_card(
        "pairs",
        path,
        tasks=("dense",) if has_maps else ("segmentation",),
        splits={split: len(files) for split, files in pairs.images.items()},
        primary={"dense": "mae"} if has_maps else {"segmentation": "dice"},
        pixel_spacing=declared.pixel_spacing,
        maps=declared.maps,
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Open every header and return the dataset; pixels are decoded when they are read.

    Images of several sizes are brought to one as `image_files.survey` says, and masks with them.
    Values and colours of the masks are read as `declaration` says.
    Its digest is `source_digest`: hashing every decoded image would double the work.

    Raises:
        DataError: as `card_of`, an image is unreadable or of more than 8 bits, or a mask is not
            what `image_files.check_mask` wants.
    """
    from omnibench.data.image_files import (
        FolderImages,
        FolderMasks,
        check_mask,
        check_palettes,
        every,
        survey,
    )

    root = Path(str(card.path))
    pairs, declaration = pairs_of(root), read_declaration(root)
    if pairs.part == TARGETS:
        return read_maps(card, declaration, pairs.images, pairs.masks, data_dir)
    channels, height, width = survey(
        root, [name for split in SPLITS for name in pairs.images[split]]
    )
    together = {
        mask: image
        for split in SPLITS
        for image, mask in zip(pairs.images[split], pairs.masks[split], strict=True)
    }
    every(
        together,
        lambda mask: check_mask(root / together[mask], root / mask, declaration.by_colour),
    )
    if not declaration.mask_values:
        check_palettes(root, list(together))
    colours = coding_of(declaration).colours
    columns = table_columns(root, declaration.columns, pairs.images)
    pixel = (3,) if channels == 3 else ()
    splits = {}
    for split in SPLITS:
        images, masks = pairs.images[split], pairs.masks[split]
        splits[split] = Split(
            images=FolderImages(root, images, (len(images), height, width, *pixel)),
            targets={
                "masks": Masks(FolderMasks(root, masks, (len(masks), height, width), colours))
            },
            columns=columns.get(split, {}),
        )
    card = card.model_copy(
        update={"channels": channels, "resolution": height if height == width else None}
    )
    return Dataset(card, splits, {"files": source_digest(root, data_dir)})


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the images and masks and their places in the folder.

    Raises:
        DataError: as `pairs_of`, or a file cannot be read.
    """
    from omnibench.data.image_files import as_read

    pairs = pairs_of(path)
    if pairs.part == TARGETS:
        return maps_digest(path, pairs.images, pairs.masks, data_dir)
    images = [name for split in SPLITS for name in pairs.images[split]]
    masks = [name for split in SPLITS for name in pairs.masks[split]]
    digest = f"sha256:{sha256_of_folder(path, [*images, *masks], data_dir)}"
    return as_read(digest, path, images, data_dir, masks=masks)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `pairs_of`.
    """
    return path, pairs_of(path).images["train"]


def left_out(path: Path) -> dict[str, int]:
    """Return how many files of each ending are no image by their name, and folders no split."""
    return pairs_of(path).left_out


def pairs_of(path: Path) -> Pairs:
    """List the images and masks of a folder.

    Raises:
        DataError: a folder is absent, a split is empty, an image has no mask or a mask no image,
            two have one name, a mask is a JPEG, or a link leads out of the folder.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; put train/, val/ and test/ there or correct it")
    others = beside_splits(path)  # a split that is a link out is refused before it is looked into
    kinds = {part for part in (MASKS, TARGETS) for s in SPLITS if (path / s / part).is_dir()}
    if len(kinds) > 1:
        raise DataError(
            f"{path} has masks/ and targets/; keep masks of classes and maps of numbers in two "
            "folders of their own"
        )
    kind = kinds.pop() if kinds else MASKS
    images: dict[str, tuple[str, ...]] = {}
    masks: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        for part in (path / split, path / split / "images", path / split / kind):
            if not part.is_dir():
                raise DataError(
                    f"{path} has no folder {part.relative_to(path)}; it needs train/, val/ and "
                    f"test/, each with images/ and {kind}/"
                )
            visible(path, part)
        images_by_stem = _by_stem(path, path / split / "images", others)
        masks_by_stem = _by_stem(path, path / split / kind, others)
        _check_matched(path / split, kind, images_by_stem, masks_by_stem, others)
        images[split] = tuple(images_by_stem[stem] for stem in sorted(images_by_stem))
        masks[split] = tuple(masks_by_stem[stem] for stem in sorted(images_by_stem))
    return Pairs(images, masks, dict(others), kind)


def _by_stem(root: Path, folder: Path, others: Counter[str]) -> dict[str, str]:
    """Return stem -> name relative to the root, of every image in a folder; count what is none.

    Accents of stems are brought to one form: some systems write NFC and some NFD.
    """
    names: dict[str, str] = {}
    for entry in visible(root, folder):
        if entry.is_dir():
            raise DataError(f"{entry} is a folder among images; move its images up into {folder}")
        suffix = entry.suffix.lower()
        if suffix not in (MAP_SUFFIXES if folder.name == TARGETS else SUFFIXES):
            others[ending(entry.name)] += 1
            continue
        if folder.name == MASKS and suffix not in LOSSLESS:
            raise DataError(
                f"{entry} is a {suffix[1:].upper()} file, which may alter class values; save masks "
                "as PNG, BMP or TIFF"
            )
        stem = unicodedata.normalize("NFC", entry.stem)
        if stem in names:
            raise DataError(
                f"{entry} has the name of {root / names[stem]}, but an image and its mask "
                "are matched by it; rename one"
            )
        names[stem] = entry.relative_to(root).as_posix()
    return names


def _check_matched(
    split: Path, part: str, images: dict[str, str], masks: dict[str, str], others: Counter[str]
) -> None:
    noun, suffix = ("mask", "png") if part == MASKS else ("map", "npy")
    if not images and not masks:
        raise DataError(
            f"{split} holds no image ({', '.join(SUFFIXES)}); every split needs some"
            f"{instead(others)}"
        )
    for stem in sorted(images.keys() - masks.keys()):
        for file in (split / part / f"{stem}{end}" for end in VOLUMES):
            if file.is_file():
                raise DataError(
                    f"{file} is a NIfTI file, and nothing tells which of its axes are the rows and "
                    f"columns of {split.parent / images[stem]}; save it as that lies, as "
                    f"{stem}.{suffix}"
                )
        raise DataError(
            f"{split.parent / images[stem]} has no {noun}; put one called {stem}.{suffix} in "
            f"{split / part} or remove the image"
        )
    for stem in sorted(masks.keys() - images.keys()):
        raise DataError(
            f"{split.parent / masks[stem]} has no image; put one called {stem} in "
            f"{split / 'images'} or remove the {noun}"
        )


READER = Reader(
    "pairs",
    card_of,
    read,
    source_digest=source_digest,
    left_out=left_out,
    training_files=training_files,
    declares=("mask_values", "ignore", "maps", "pixel_spacing", "columns"),
)
